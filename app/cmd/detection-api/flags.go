package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/peterbourgon/ff/v3"
)

// usageError is a mistake in the arguments or the environment.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func wrongUsage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// parse fills the flags from the arguments and, where one is not given, from the environment.
// After --help has been printed to out the error is flag.ErrHelp.
func parse(fs *flag.FlagSet, about string, out io.Writer, args []string) error {
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	err := ff.Parse(fs, args, ff.WithEnvVars())
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(out, "%s\n\nFlags:\n", about)
		fs.SetOutput(out)
		fs.PrintDefaults()
		return flag.ErrHelp
	}
	if err != nil {
		return &usageError{tidy(err)}
	}
	return nil
}

// tidy makes the flag package's messages one plain sentence.
func tidy(err error) error {
	text := strings.TrimPrefix(err.Error(), "error parsing commandline arguments: ")
	text = strings.ReplaceAll(text, "parse error", "it cannot be read as that kind of value")
	if m := regexp.MustCompile(`error setting flag ".+" from environment variable "(.+)": (.+)`).FindStringSubmatch(text); m != nil {
		return fmt.Errorf("environment variable %s=%q: %s", m[1], os.Getenv(m[1]), m[2])
	}
	return errors.New(regexp.MustCompile(`(flag|defined:) -([a-z])`).ReplaceAllString(text, "$1 --$2"))
}

// noArguments refuses words that are not flags.
func noArguments(fs *flag.FlagSet) error {
	if fs.NArg() > 0 {
		return wrongUsage("unexpected argument %q", fs.Arg(0))
	}
	return nil
}

// secret returns value, or the content of the file when one is named. Exactly the trailing newline is cut.
func secret(flagName, value, file string) (string, error) {
	if value != "" && file != "" {
		return "", wrongUsage("give --%s or --%s-file, not both", flagName, flagName)
	}
	if file == "" {
		return value, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read --%s-file: %w", flagName, err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}
