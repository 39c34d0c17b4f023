package mutation_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/detection-api/detection-api/tests/mutation"
)

// The check looks at the port alone, so a mistake in the label survives.
func ExampleRun() {
	const service = "kind: Service\nselector:\n  app: web\nport: 80\n"
	dir, err := os.MkdirTemp("", "chart-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "service.yaml"), []byte(service), 0o644); err != nil {
		log.Fatal(err)
	}
	mutants, err := mutation.Mutants(map[string][]byte{"service.yaml": []byte(service)})
	if err != nil {
		log.Fatal(err)
	}
	check := func(_ context.Context, chartDir string) (bool, string, error) {
		text, err := os.ReadFile(filepath.Join(chartDir, "service.yaml"))
		return !strings.Contains(string(text), "port: 80\n"), "the port is not 80", err
	}
	report, err := mutation.Run(context.Background(), mutation.Config{ChartDir: dir, Check: check}, mutants[2:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(report)
	// Output:
	// 2 mutants: 1 killed, 1 survived, 0 timed out, 0 equivalent; score 50.0 %
	// survived service.yaml:3: change label value
	// -  app: web
	// +  app: mutant-web
}
