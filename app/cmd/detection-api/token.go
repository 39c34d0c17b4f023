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

Prints a bearer token, for development and for clients that cannot get one by id and secret:

  curl -H "Authorization: Bearer $(detection-api token --jwt-secret-key-file FILE)" http://localhost:8000/api/v1/detections

Give the keys as serve has them: --jwt-keys, --jwt-secret-key-file or --jwt-secret-key. Of several keys the one signs that
signs in serve, unless --kid names another one.`

// tokenFlags say what is signed, and with what.
type tokenFlags struct {
	keys                keyFlags
	kid, subject, roles string
	lifetime            time.Duration
}

func runToken(_ context.Context, io streams, args []string) error {
	fs := flag.NewFlagSet("token", flag.ContinueOnError)
	f := tokenFlags{}
	f.keys.registerKeys(fs)
	fs.StringVar(&f.kid, "kid", "", "`name` of the key in --jwt-keys to sign with; empty: the one that signs in serve")
	fs.StringVar(&f.subject, "subject", "developer", "`name` of the client")
	fs.StringVar(&f.roles, "roles", "ingest,read,operate",
		"what its holder may do: `ROLES` (ingest, read, operate) with commas; empty: no such claim, which means ingest and read")
	fs.DurationVar(&f.lifetime, "lifetime", time.Hour, "how long the token is valid")
	if err := parse(fs, aboutToken, io.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	signed, err := f.sign()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.out, signed)
	return err
}

// sign checks the flags and returns the token.
func (f *tokenFlags) sign() (string, error) {
	if f.subject == "" || f.lifetime < time.Second {
		return "", wrongUsage("want a subject and a lifetime of at least 1s, got %q and %v", f.subject, f.lifetime)
	}
	if f.kid != "" && f.keys.path == "" {
		return "", wrongUsage("kid: only the keys of --jwt-keys have names")
	}
	identity := token.Identity{Subject: f.subject}
	var err error
	if f.roles != "" {
		if identity.Roles, err = token.ParseRoles(strings.Split(f.roles, ",")); err != nil {
			return "", wrongUsage("roles: %w", err)
		}
	}
	ring, err := f.keys.ring(token.Options{})
	if err != nil {
		return "", err
	}
	if f.kid == "" {
		return ring.Mint(identity, f.lifetime, time.Now())
	}
	signed, err := ring.MintWith(f.kid, identity, f.lifetime, time.Now())
	if err != nil {
		return "", wrongUsage("kid: %w", err)
	}
	return signed, nil
}
