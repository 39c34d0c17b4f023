package local

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// needed are the programs that nodes take from the machine, by the Debian package that holds them.
var needed = []struct{ program, debianPackage string }{
	{"runc", "runc"}, {"iptables", "iptables"}, {"ipset", "ipset"}, {"nft", "nftables"},
}

// searched is where nodes look for programs.
var searched = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Check tells in one line what this machine lacks to run a cluster.
func Check() error {
	if err := check(os.Geteuid(), installed); err != nil {
		return err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("the provider local builds its programs and needs the go command")
	}
	return nil
}

func check(user int, installed func(program string) bool) error {
	if user != 0 {
		return errors.New("the provider local needs root: run it with sudo, or use kind or existing")
	}
	var missing, packages []string
	for _, need := range needed {
		if !installed(need.program) {
			missing, packages = append(missing, need.program), append(packages, need.debianPackage)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("the provider local needs %s: apt-get install %s", strings.Join(missing, ", "), strings.Join(packages, " "))
}

func installed(program string) bool {
	for _, directory := range searched {
		if info, err := os.Stat(filepath.Join(directory, program)); err == nil && info.Mode()&0o111 != 0 {
			return true
		}
	}
	return false
}
