package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// test is one endurance test.
type test struct {
	dir  string // of its package, below the module's
	name string
}

func (t test) String() string { return t.dir + "/" + t.name }

// fileName tells the test from all others in a flat directory.
func (t test) fileName() string {
	return strings.ReplaceAll(strings.TrimPrefix(t.dir, "internal/"), "/", "-") + "-" + t.name
}

// find returns the endurance tests of a module, in order.
func find(module string, only *regexp.Regexp) (tests []test, err error) {
	packages := map[string]calls{}
	err = filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skip(module, path)
		}
		dir, err := filepath.Rel(module, filepath.Dir(path))
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		if packages[dir] == nil {
			packages[dir] = calls{}
		}
		return packages[dir].read(path)
	})
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		for _, name := range packages[dir].endurance() {
			if t := (test{dir, name}); only.MatchString(t.String()) {
				tests = append(tests, t)
			}
		}
	}
	return tests, err
}

// skip leaves out what is no code of the module, and the package torture, whose own tests call Budget to test it.
func skip(module, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && dir != module {
		return filepath.SkipDir
	}
	if name := filepath.Base(dir); name == "testdata" || name == "torture" {
		return filepath.SkipDir
	}
	return nil
}

// calls are the functions of a package's tests, with the names that each of them calls.
type calls map[string]map[string]bool

// budget is what endurance tests call.
const budget = "torture.Budget"

func (c calls) read(path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		called := map[string]bool{}
		ast.Inspect(function, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				called[callee(call)] = true
			}
			return true
		})
		c[function.Name.Name] = called
	}
	return nil
}

func callee(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if of, ok := f.X.(*ast.Ident); ok {
			return of.Name + "." + f.Sel.Name
		}
	}
	return ""
}

// endurance returns the tests that call Budget, be it through functions of their package.
func (c calls) endurance() (tests []string) {
	long := map[string]bool{budget: true}
	for more := true; more; {
		more = false
		for name, called := range c {
			if !long[name] && slices.ContainsFunc(slices.Collect(maps.Keys(called)), func(n string) bool { return long[n] }) {
				long[name], more = true, true
			}
		}
	}
	for name := range long {
		if strings.HasPrefix(name, "Test") {
			tests = append(tests, name)
		}
	}
	slices.Sort(tests)
	return tests
}
