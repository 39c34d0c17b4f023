package image

import (
	"fmt"
	"os"
	"strings"
)

// caBundles is where distributions keep their CA certificates, the most common first.
var caBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine
	"/etc/pki/tls/certs/ca-bundle.crt",   // Fedora
	"/etc/ssl/ca-bundle.pem",             // openSUSE
	"/etc/ssl/cert.pem",                  // macOS
}

// CACertificates is this machine's CA bundle at the path where Go programs in an image look for it.
func CACertificates() (File, error) {
	for _, path := range caBundles {
		if content, err := os.ReadFile(path); err == nil {
			return File{Path: caBundles[0], Content: content}, nil
		}
	}
	return File{}, fmt.Errorf("no CA bundle found at %s: install the package ca-certificates", strings.Join(caBundles, ", "))
}
