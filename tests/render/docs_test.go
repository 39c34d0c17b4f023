package render

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every test that a document names as a proof exists.
func TestProofsExist(t *testing.T) {
	declared := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example|Benchmark)\w*)\(`)
	for _, module := range []string{"../../tests", "../../app"} {
		require.NoError(t, filepath.WalkDir(module, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, match := range function.FindAllSubmatch(source, -1) {
				declared[string(match[1])] = true
			}
			return err
		}))
	}
	for document, fewest := range map[string]int{"chart.md": 40, "durability.md": 40, "record.md": 0} {
		text, err := os.ReadFile("../../docs/" + document)
		require.NoError(t, err)
		named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(string(text), -1)
		require.GreaterOrEqual(t, len(named), fewest, "%s names its proofs", document)
		for _, name := range named {
			require.True(t, declared[name], "docs/%s names %s, which does not exist", document, name)
		}
	}
}
