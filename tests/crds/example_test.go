package crds_test

import (
	"context"
	"fmt"

	"github.com/detection-api/detection-api/tests/crds"
)

// A set that does not come with the package is described by its module. Names keep the cluster small.
func ExampleSource_Read() {
	source := crds.Source{
		Module: "sigs.k8s.io/gateway-api", Version: "v1.6.1", Sum: "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=",
		Paths: []string{"config/crd/standard"},
		Names: []string{"httproutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io"},
	}
	definitions, err := source.Read(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, definition := range definitions {
		fmt.Println(definition.GetName())
	}
	// Output:
	// gateways.gateway.networking.k8s.io
	// httproutes.gateway.networking.k8s.io
}
