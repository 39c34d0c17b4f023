package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/detection-api/detection-api/app/internal/token"
)

const aboutClient = `detection-api client --id NAME [flags]

Makes a secret for a client and prints the client's entry for serve --clients-file, which has only a hash of the secret. The
secret goes to standard error, once: it cannot be found out again. With --secret-stdin it is read from standard input instead.

The file holds the entries of all clients:

  {"clients": [ENTRY, ...]}

and the client gets its tokens by

  curl -u "NAME:SECRET" -d grant_type=client_credentials http://localhost:8000/api/v1/auth/token`

// clientEntry is one client of --clients-file.
type clientEntry struct {
	ID         string       `json:"id"`
	SecretHash string       `json:"secret_hash"`
	Roles      []token.Role `json:"roles"`
	Subject    string       `json:"subject,omitempty"`
}

func runClient(_ context.Context, streams streams, args []string) error {
	fs := flag.NewFlagSet("client", flag.ContinueOnError)
	id := fs.String("id", "", "`name` of the client")
	subject := fs.String("subject", "", "`name` in its tokens and in the audit trail; empty: the id")
	roles := fs.String("roles", "ingest", "what it may do: `ROLES` (ingest, read, operate) with commas")
	given := fs.Bool("secret-stdin", false, "read the secret from standard input")
	if err := parse(fs, aboutClient, streams.out, args); err != nil {
		return err
	}
	if err := noArguments(fs); err != nil {
		return err
	}
	entry := clientEntry{ID: *id, Subject: *subject}
	if *id == "" {
		return wrongUsage("id: want a name")
	}
	var err error
	if entry.Roles, err = token.ParseRoles(strings.Split(*roles, ",")); err != nil {
		return wrongUsage("roles: %w", err)
	}
	if entry.SecretHash, err = clientSecret(streams, *given); err != nil {
		return err
	}
	return json.NewEncoder(streams.out).Encode(entry)
}

// clientSecret returns the hash of a secret that was given, or of a new one, which it tells.
func clientSecret(streams streams, given bool) (hash string, err error) {
	if !given {
		secret, hash := token.NewSecret()
		_, err := fmt.Fprintf(streams.err, "secret: %s\n", secret)
		return hash, err
	}
	text, err := io.ReadAll(io.LimitReader(streams.in, 1<<10))
	if err != nil {
		return "", fmt.Errorf("read the secret: %w", err)
	}
	if hash, err = token.HashSecret(strings.TrimRight(string(text), "\r\n")); err != nil {
		return "", wrongUsage("secret: %w", err)
	}
	return hash, nil
}
