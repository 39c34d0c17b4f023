// Command chartdocs writes values.schema.json and the values table of README.md from a chart's values.yaml, so that the
// three cannot drift apart.
//
// A comment line that starts with `-- ` opens the description of the key below it, and one that starts with `@schema `
// adds JSON Schema keywords, as YAML, to what the value itself shows: its type and, for a mapping, its keys. Mappings
// are closed (additionalProperties is false) and all their keys are required, because `--set key=null` removes a key.
// The hint `like: NAME` takes over the schema of the top-level key NAME with no key required.
//
// Usage: chartdocs [-check] CHART-DIRECTORY
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "chartdocs:", err)
		os.Exit(1)
	}
}

// run writes both files of the chart that args name, or with -check only compares them.
func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("chartdocs", flag.ContinueOnError)
	flags.SetOutput(stderr)
	check := flags.Bool("check", false, "report files that are out of date instead of writing them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: chartdocs [-check] CHART-DIRECTORY")
	}
	files, err := generate(flags.Arg(0))
	if err != nil {
		return err
	}
	put := write
	if *check {
		put = compare
	}
	var problems []error
	for _, f := range files {
		problems = append(problems, put(f))
	}
	return errors.Join(problems...)
}

// file is a generated file: its path and its whole content.
type file struct {
	path    string
	content []byte
}

// generate returns the files that belong to the values.yaml in dir.
func generate(dir string) ([]file, error) {
	source, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := parse(source)
	if err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	schema, err := schemaJSON(filepath.Base(dir), values)
	if err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	readme := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		return nil, err
	}
	text, err = replaceTable(text, table(values))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", readme, err)
	}
	return []file{{filepath.Join(dir, "values.schema.json"), schema}, {readme, text}}, nil
}

func write(f file) error { return os.WriteFile(f.path, f.content, 0o644) }

func compare(f file) error {
	got, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, f.content) {
		return fmt.Errorf("%s does not belong to values.yaml: run chartdocs without -check", f.path)
	}
	return nil
}
