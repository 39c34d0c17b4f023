package chart_test

import (
	"fmt"
	"log"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/detection-api/detection-api/tests/chart"
)

// Render a chart with some values, and look at its objects by type.
func Example() {
	loaded, err := chart.Load("../testdata/charts/notes-board")
	if err != nil {
		log.Fatal(err)
	}
	release, err := loaded.Render(chart.Helm4, chart.Options{Release: "team", Set: map[string]any{"replicas": 3}})
	if err != nil {
		log.Fatal(err)
	}
	objects, err := release.Objects()
	if err != nil {
		log.Fatal(err)
	}
	for _, deployment := range chart.All[*appsv1.Deployment](objects) {
		fmt.Println(deployment.Name, *deployment.Spec.Replicas, deployment.Spec.Template.Spec.Containers[0].Image)
	}
	// Output: team-board 3 registry.example/notes-board:2.1.0
}

// Changed names the objects that a change of values touches.
func ExampleChanged() {
	loaded, err := chart.Load("../testdata/charts/notes-board")
	if err != nil {
		log.Fatal(err)
	}
	var releases [2]chart.Objects
	for i, tag := range []string{"2.1.0", "2.2.0"} {
		release, err := loaded.Render(chart.Helm3, chart.Options{Set: map[string]any{"image.tag": tag}})
		if err != nil {
			log.Fatal(err)
		}
		if releases[i], err = release.Objects(); err != nil {
			log.Fatal(err)
		}
	}
	different, err := chart.Changed(releases[0], releases[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(different)
	// Output: [CronJob/notes-board-digest Deployment/notes-board-board Pod/notes-board-ready]
}
