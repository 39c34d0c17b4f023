// Command images prints the container images that a release of a chart needs, one a line, so that they can be carried to
// where there is no internet:
//
//	images [-f VALUES]... [-set KEY=VALUE]... CHART
//	images -write|-check CHART
//
// With -write the images of all values*.yaml in the chart go to its file images.txt; -check fails when that file is another.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/detection-api/detection-api/tests/chart"
)

// fileName is the list that travels with the chart.
const fileName = "images.txt"

// texts is a flag that may be given several times.
type texts []string

func (t *texts) String() string { return strings.Join(*t, " ") }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

func main() {
	var files, set texts
	flag.Var(&files, "f", "values file; may be given several times")
	flag.Var(&set, "set", "value as for helm --set; may be given several times")
	write := flag.Bool("write", false, "write "+fileName+" of the chart")
	check := flag.Bool("check", false, "fail when "+fileName+" of the chart is not what -write would write")
	flag.Parse()
	if err := run(flag.Arg(0), chart.Options{ValuesFiles: absolute(files), SetArguments: set}, *write, *check); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// absolute makes paths, which are relative to where the command runs, independent of the chart.
func absolute(files []string) []string {
	var paths []string
	for _, file := range files {
		if path, err := filepath.Abs(file); err == nil {
			file = path
		}
		paths = append(paths, file)
	}
	return paths
}

func run(dir string, o chart.Options, write, check bool) error {
	loaded, err := chart.Load(dir)
	if err != nil {
		return err
	}
	if !write && !check {
		images, err := imagesOf(loaded, o)
		fmt.Print(images)
		return err
	}
	list, err := everything(loaded)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fileName)
	if write {
		return os.WriteFile(path, []byte(list), 0o644)
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != list {
		return fmt.Errorf("%s is not the list of this chart's images; write it anew with -write", path)
	}
	return nil
}

// everything lists the images of each values file of the chart, each laid over the defaults.
func everything(loaded *chart.Chart) (string, error) {
	var lists []string
	for name := range loaded.Files() {
		if matched, _ := filepath.Match("values*.yaml", name); matched {
			list, err := imagesOf(loaded, chart.Options{ValuesFiles: []string{name}})
			if err != nil {
				return "", fmt.Errorf("%s: %w", name, err)
			}
			lists = append(lists, strings.Fields(list)...)
		}
	}
	slices.Sort(lists)
	return lines(slices.Compact(lists)), nil
}

func imagesOf(loaded *chart.Chart, o chart.Options) (string, error) {
	release, err := loaded.Render(chart.Helm4, o)
	if err != nil {
		return "", err
	}
	objects, err := release.Objects()
	if err != nil {
		return "", err
	}
	images, err := objects.Images()
	return lines(images), err
}

func lines(texts []string) string {
	var out strings.Builder
	for _, text := range texts {
		out.WriteString(text + "\n")
	}
	return out.String()
}
