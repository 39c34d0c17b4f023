// Package promtool checks Prometheus rules and runs their unit tests with the program promtool, so that a chart's alerts are
// tested as they are rendered: take the spec of a PrometheusRule and hand it over.
//
//	tool, err := promtool.Find("../build/bin")
//	require.NoError(t, err)
//	require.NoError(t, tool.Test(t.Context(), rule.Object["spec"], "testdata/errors.yaml"))
//
// A test file is one of `promtool test rules`. It names the rules as rules.yaml, which is put beside a copy of it. The series
// ALERTS, which every alerting rule writes, makes short tests: promql_expr_test with
// ALERTS{alertname="X",alertstate="firing"}.
package promtool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// rulesFile is the name by which test files refer to the rules.
const rulesFile = "rules.yaml"

// Tool is a promtool program.
type Tool struct{ path string }

// Find finds promtool in one of dirs or on the PATH.
func Find(dirs ...string) (*Tool, error) {
	for _, dir := range dirs {
		path, err := filepath.Abs(filepath.Join(dir, "promtool"))
		if err != nil {
			return nil, fmt.Errorf("find promtool: %w", err)
		}
		if _, err := exec.LookPath(path); err == nil {
			return &Tool{path}, nil
		}
	}
	path, err := exec.LookPath("promtool")
	if err != nil {
		return nil, fmt.Errorf("find promtool: %w", err)
	}
	return &Tool{path}, nil
}

// Check says what is wrong with rules: a mapping with groups, as a rule file of Prometheus and the spec of a PrometheusRule are.
func (t *Tool) Check(ctx context.Context, rules any) error {
	dir, err := lay(rules, nil)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return t.run(ctx, dir, "check", "rules", rulesFile)
}

// Test runs the unit tests in files against rules.
func (t *Tool) Test(ctx context.Context, rules any, files ...string) error {
	dir, err := lay(rules, files)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	arguments := []string{"test", "rules"}
	for _, file := range files {
		arguments = append(arguments, filepath.Base(file))
	}
	return t.run(ctx, dir, arguments...)
}

// lay makes a directory with the rules and copies of files. Whoever calls it removes the directory.
func lay(rules any, files []string) (dir string, err error) {
	dir, err = os.MkdirTemp("", "promtool-")
	if err != nil {
		return "", fmt.Errorf("lay out the rules: %w", err)
	}
	text, err := yaml.Marshal(rules)
	problems := []error{err, os.WriteFile(filepath.Join(dir, rulesFile), text, 0o600)}
	for _, file := range files {
		text, err := os.ReadFile(file)
		problems = append(problems, err, os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600))
	}
	if err := errors.Join(problems...); err != nil {
		return "", errors.Join(fmt.Errorf("lay out the rules: %w", err), os.RemoveAll(dir))
	}
	return dir, nil
}

// run runs promtool in dir. What it prints is the error when it fails.
func (t *Tool) run(ctx context.Context, dir string, arguments ...string) error {
	command := exec.CommandContext(ctx, t.path, arguments...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("promtool %s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return nil
}
