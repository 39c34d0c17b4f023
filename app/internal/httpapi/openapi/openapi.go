// Package openapi holds the description of the HTTP API (OpenAPI 3.1), which is written by hand, and its page for people.
package openapi

import (
	_ "embed"
)

//go:embed openapi.json
var description []byte

// JSON returns the description. It must not be changed.
func JSON() []byte { return description }
