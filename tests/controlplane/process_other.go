//go:build !linux

package controlplane

import "syscall"

// attributes give a program a process group of its own. Only Linux can end it with this process.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
