package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadConfig(t *testing.T) {
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"complete", `{"hostname":"node1","runTmpfs":true,"binds":[{"source":"/a","target":"/b"}],"network":null,"cgroups":null,"sysctls":{},"processes":[]}`, true},
		{"of another version", `{"hostname":"node1","color":"red"}`, false},
		{"cut off", `{"hostname":`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readConfig(path); (err == nil) != test.ok {
				t.Errorf("readConfig(%s): error %v, want ok %t", test.text, err, test.ok)
			}
		})
	}
}
