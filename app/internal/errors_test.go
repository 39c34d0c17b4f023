package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// statusNames are the names in net/http of the statuses that the API answers errors with.
var statusNames = map[string]int{
	"StatusBadRequest": http.StatusBadRequest, "StatusUnauthorized": http.StatusUnauthorized, "StatusForbidden": http.StatusForbidden,
	"StatusNotFound": http.StatusNotFound, "StatusMethodNotAllowed": http.StatusMethodNotAllowed, "StatusConflict": http.StatusConflict,
	"StatusUnsupportedMediaType": http.StatusUnsupportedMediaType, "StatusNotAcceptable": http.StatusNotAcceptable, "StatusRequestEntityTooLarge": http.StatusRequestEntityTooLarge,
	"StatusUnprocessableEntity": http.StatusUnprocessableEntity, "StatusTooManyRequests": http.StatusTooManyRequests,
	"StatusInternalServerError": http.StatusInternalServerError, "StatusServiceUnavailable": http.StatusServiceUnavailable,
	"StatusInsufficientStorage": http.StatusInsufficientStorage,
}

// TestErrorsAreDocumented holds the table of docs/errors.md against the codes of detection and httpapi and the statuses that
// httpapi gives them: each is there once, with its status, a cause and what to do, and nothing else is.
func TestErrorsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]int{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d+) \\| [^|]+ \\| [^|]+ \\|$").FindAllStringSubmatch(string(text), -1) {
		if _, twice := documented[row[1]]; twice {
			t.Errorf("%s is there twice", row[1])
		}
		documented[row[1]], _ = strconv.Atoi(row[2])
	}
	codes := codesIn(t, "detection/errors.go")
	inHTTP := codesIn(t, "httpapi/errors.go")
	maps.Copy(codes, inHTTP)
	statuses := statusesIn(t, "httpapi/errors.go")
	if len(codes) < 20 || len(statuses) != len(codes) {
		t.Errorf("%d codes and %d statuses were found", len(codes), len(statuses))
	}
	for name, code := range codes {
		if documented[code] == 0 || documented[code] != statuses[name] {
			t.Errorf("%s: docs/errors.md says %d, httpapi answers %d", code, documented[code], statuses[name])
		}
		delete(documented, code)
	}
	for code := range documented {
		t.Errorf("%s is documented and does not exist", code)
	}
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// codesIn returns the constants of type Code in a file, by name.
func codesIn(t *testing.T, path string) map[string]string {
	t.Helper()
	codes := map[string]string{}
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || nameOf(spec.Type) != "Code" {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			codes[spec.Names[0].Name], _ = strconv.Unquote(literal.Value)
		}
		return true
	})
	return codes
}

// statusesIn returns what the map in a file gives for the name of each code.
func statusesIn(t *testing.T, path string) map[string]int {
	t.Helper()
	statuses := map[string]int{}
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		if pair, ok := n.(*ast.KeyValueExpr); ok {
			if status := statusNames[nameOf(pair.Value)]; status > 0 {
				statuses[nameOf(pair.Key)] = status
			}
		}
		return true
	})
	return statuses
}

// nameOf is the name of an identifier, without its package.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
