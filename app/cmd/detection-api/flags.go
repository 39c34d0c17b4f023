package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

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
		fmt.Fprintln(out, about)
		flags := 0
		fs.VisitAll(func(*flag.Flag) { flags++ })
		if flags > 0 {
			fmt.Fprint(out, "\nFlags:\n")
			fs.SetOutput(out)
			fs.PrintDefaults()
		}
		return flag.ErrHelp
	}
	if err != nil {
		return &usageError{tidy(fs, err)}
	}
	return nil
}

// tidy makes the messages of the packages flag and ff one plain sentence that says what was wanted.
func tidy(fs *flag.FlagSet, err error) error {
	text := strings.TrimPrefix(err.Error(), "error parsing commandline arguments: ")
	if m := regexp.MustCompile(`error setting flag "(.+)" from environment variable "(.+)": `).FindStringSubmatch(text); m != nil {
		return fmt.Errorf("environment variable %s: want %s, got %q", m[2], wanted(fs, m[1]), os.Getenv(m[2]))
	}
	if m := regexp.MustCompile(`(?s)invalid value (".*") for flag -(\S+): `).FindStringSubmatch(text); m != nil {
		return fmt.Errorf("%s: want %s, got %s", m[2], wanted(fs, m[2]), m[1])
	}
	return errors.New(regexp.MustCompile(`(flag|defined:|argument:) -([a-z])`).ReplaceAllString(text, "$1 --$2"))
}

// wanted says what a flag takes.
func wanted(fs *flag.FlagSet, name string) string {
	if getter, ok := fs.Lookup(name).Value.(flag.Getter); ok {
		switch getter.Get().(type) {
		case time.Duration:
			return "a duration such as 30s or 5m"
		case int64:
			return "a whole number"
		case float64:
			return "a number"
		}
	}
	return "another value"
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
