package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestCopiesOnTheSameDeviceAreTold(t *testing.T) {
	told := func(a, b string) string {
		var errs bytes.Buffer
		tellSameDevice(streams{err: &errs}, a, b)
		return errs.String()
	}
	one, two := t.TempDir(), t.TempDir()
	if text := told(one, two); !strings.Contains(text, "same device") || strings.Count(text, "\n") != 1 {
		t.Errorf("two directories of one device: %q", text)
	}
	if text := told(one, "/none/such"); text != "" {
		t.Errorf("a directory that is not there: %q", text)
	}
	shared, err := os.MkdirTemp("/dev/shm", "device") // positive control
	if err != nil || deviceOf(shared) == deviceOf(one) {
		t.Skip("there is no second file system to try: ", err)
	}
	defer os.RemoveAll(shared)
	if text := told(one, shared); text != "" {
		t.Errorf("two devices: %q", text)
	}
}
