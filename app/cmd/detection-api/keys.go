package main

import (
	"flag"
	"fmt"
	"time"

	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/token"
)

// keyFlags say who may have tokens, and what they are signed with.
type keyFlags struct {
	secret, file, path string
	clients            string
}

func (f *keyFlags) register(fs *flag.FlagSet, c *server.ServeConfig) {
	f.registerKeys(fs)
	fs.StringVar(&f.clients, "clients-file", "",
		"JSON `file` of clients who may have tokens for an id and a secret, see detection-api client; read again when it changes")
	fs.DurationVar(&c.TokenLifetime, "token-lifetime", time.Hour, "how long such a token is valid")
}

// registerKeys has the flags of the signing keys alone.
func (f *keyFlags) registerKeys(fs *flag.FlagSet) {
	fs.StringVar(&f.secret, "jwt-secret-key", "", "signing `key` of the tokens, at least 32 bytes")
	fs.StringVar(&f.file, "jwt-secret-key-file", "", "`file` with the signing key")
	fs.StringVar(&f.path, "jwt-keys", "",
		"`directory` of signing keys, each in a file named by its kid, in place of --jwt-secret-key; serve follows their changes")
}

// resolve reads keys and clients. The logger must be there, for what is told when they change.
func (f *keyFlags) resolve(c *server.ServeConfig) (err error) {
	if c.TokenLifetime < time.Second {
		return wrongUsage("token-lifetime: want at least 1s, got %v", c.TokenLifetime)
	}
	if c.Keys, err = f.ring(told(c, "signing keys")); err != nil || f.clients == "" {
		return err
	}
	if c.Clients, err = token.OpenClients(f.clients, told(c, "clients")); err != nil {
		return wrongUsage("clients-file: %w", err)
	}
	return nil
}

func (f *keyFlags) ring(opts token.Options) (*token.Ring, error) {
	if f.path != "" && (f.secret != "" || f.file != "") {
		return nil, wrongUsage("give --jwt-keys, --jwt-secret-key or --jwt-secret-key-file, not two of them")
	}
	if f.path != "" {
		ring, err := token.Open(f.path, opts)
		if err != nil {
			return nil, wrongUsage("jwt-keys: %w", err)
		}
		return ring, nil
	}
	text, err := secret("jwt-secret-key", f.secret, f.file)
	if err != nil {
		return nil, err
	}
	key, err := token.NewKey(text)
	if err != nil {
		return nil, &usageError{fmt.Errorf("jwt-secret-key: %w", err)}
	}
	return token.Alone(key), nil
}

func told(c *server.ServeConfig, what string) token.Options {
	return token.Options{Changed: func(err error) {
		if err != nil {
			c.Logger.Error("read again: the old ones stay in use", "what", what, "error", err)
			return
		}
		c.Logger.Info("read again: new ones are in use", "what", what)
	}}
}
