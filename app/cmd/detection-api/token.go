package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/token"
)

const aboutToken = `detection-api token --subject NAME [flags]

Prints a bearer token signed with the key, for development: curl -H "Authorization: Bearer $(detection-api token ...)".`

func runToken(_ context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("token", flag.ContinueOnError)
	key := fs.String("jwt-secret-key", "", "signing `key`, the same as that of serve")
	keyFile := fs.String("jwt-secret-key-file", "", "`file` with the signing key")
	subject := fs.String("subject", "developer", "`name` of the client")
	roles := fs.String("roles", "ingest,read,operate", "what its holder may `do`, with commas; empty: no such claim, which means ingest and read")
	lifetime := fs.Duration("lifetime", time.Hour, "how long the token is valid")
	if err := parse(fs, aboutToken, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	if *subject == "" || *lifetime <= 0 {
		return wrongUsage("want a subject and a lifetime above 0, got %q and %v", *subject, *lifetime)
	}
	text, err := secret("jwt-secret-key", *key, *keyFile)
	if err != nil {
		return err
	}
	k, err := token.NewKey(text)
	if err != nil {
		return &usageError{fmt.Errorf("jwt-secret-key: %w", err)}
	}
	identity := token.Identity{Subject: *subject}
	if *roles != "" {
		if identity.Roles, err = token.ParseRoles(strings.Split(*roles, ",")); err != nil {
			return wrongUsage("roles: %w", err)
		}
	}
	signed, err := token.Alone(k).Mint(identity, *lifetime, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.out, signed)
	return err
}
