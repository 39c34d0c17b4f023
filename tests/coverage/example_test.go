package coverage_test

import (
	"context"
	"fmt"
	"log"

	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"

	"github.com/detection-api/detection-api/tests/coverage"
)

// A chart of one template is rendered once, by Helm's engine; the report says what that render did not see.
func Example() {
	profile, err := coverage.Instrument(map[string][]byte{"templates/service.yaml": []byte(`kind: Service
spec:
  {{- if .Values.headless }}
  clusterIP: None
  {{- end }}
  ports:
    {{- range .Values.ports }}
    - port: {{ . }}
    {{- end }}
`)})
	if err != nil {
		log.Fatal(err)
	}
	small := &chart.Chart{Metadata: &chart.Metadata{Name: "small"}}
	for name, text := range profile.Templates() {
		small.Templates = append(small.Templates, &common.File{Name: name, Data: text})
	}
	helm := engine.Engine{CustomTemplateFuncs: profile.Funcs()}
	rendered, err := helm.RenderWithContext(context.Background(), small, common.Values{"Values": map[string]any{"ports": []int{80}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(rendered["small/templates/service.yaml"], profile.Report())
	// Output:
	// kind: Service
	// spec:
	//   ports:
	//     - port: 80
	// template branches taken: 2 of 4 (50.0 %)
	// templates/service.yaml      50 % of 4
	//   templates/service.yaml:3  never: if .Values.headless: yes
	//   templates/service.yaml:7  never: range .Values.ports: empty
}
