package chart_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/detection-api/detection-api/tests/chart"
)

// What an API server would refuse or drop is an error here.
func TestDecodeIsStrict(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: None}\n"
	for name, c := range map[string]struct{ text, want string }{
		"positive control":           {service, ""},
		"comments only":              {"# nothing\n---\n", ""},
		"unknown field":              {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selectr: {}}\n", `unknown field "spec.selectr"`},
		"another case":               {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterip: None}\n", `unknown field "spec.clusterip"`},
		"wrong type":                 {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {clusterIP: 1}\n", "clusterIP"},
		"duplicate key":              {service + "kind: Service\n", "already set"},
		"duplicate key, other group": {"apiVersion: a.example/v1\nkind: A\nmetadata: {name: a}\nspec: {a: 1, a: 2}\n", "already set"},
		"two of one name":            {service + "---\n" + service, "two objects are Service/a"},
		"two of one name, namespace": {service + "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: ns}\n", "two objects are Service/a"},
		"same name, other namespace": {service + "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: other}\n", ""},
		"same name, other group":     {service + "---\napiVersion: a.example/v1\nkind: Service\nmetadata: {name: a}\n", ""},
		"kind that is not there":     {"apiVersion: v1\nkind: Servis\nmetadata: {name: a}\n", "Servis"},
		"version that is not there":  {"apiVersion: batch/v3\nkind: Job\nmetadata: {name: a}\n", "batch/v3"},
		"no name":                    {"apiVersion: v1\nkind: Service\n", "metadata.name"},
		"not an object":              {"- a\n", "cannot unmarshal"},
	} {
		_, err := chart.Decode(c.text, "ns")
		if c.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.want, name)
		}
	}
}

func TestKeys(t *testing.T) {
	objects, err := chart.Decode(`apiVersion: v1
kind: Service
metadata: {name: a}
---
apiVersion: v1
kind: Service
metadata: {name: a, namespace: other}
---
apiVersion: serving.example/v1
kind: Service
metadata: {name: a, namespace: ns}
`, "ns")
	require.NoError(t, err)
	require.Equal(t, []string{"Service.serving.example/a", "Service/a", "Service/other/a"}, objects.Keys())
	require.IsType(t, &unstructured.Unstructured{}, objects["Service.serving.example/a"])
}

// The canonical form depends on what objects say, not on how they are written.
func TestCanonical(t *testing.T) {
	one, err := chart.Decode(`# how one writes it
apiVersion: v1
kind: ResourceQuota
metadata: {name: b, creationTimestamp: null}
spec: {hard: {cpu: 1000m, memory: 1024Mi}}
---
apiVersion: a.example/v1
kind: A
metadata: {name: a}
spec: {count: 1000000, empty: {}, list: [b, a]}
`, "ns")
	require.NoError(t, err)
	other, err := chart.Decode(`apiVersion: a.example/v1
kind: A
spec: {list: [b, a], empty: {}, count: 1000000}
metadata: {name: a}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: b}
spec: {hard: {memory: 1Gi, cpu: "1"}}
status: {}
`, "ns")
	require.NoError(t, err)
	text, err := one.Canonical()
	require.NoError(t, err)
	same, err := other.Canonical()
	require.NoError(t, err)
	require.Equal(t, text, same)
	require.Equal(t, `---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: b
spec:
  hard:
    cpu: "1"
    memory: 1Gi
---
apiVersion: a.example/v1
kind: A
metadata:
  name: a
spec:
  count: 1000000
  empty: {}
  list:
  - b
  - a
`, text)
}

// Images are found wherever containers are listed, also in kinds that nobody knows here.
func TestImagesOfUnknownKinds(t *testing.T) {
	objects, err := chart.Decode(`apiVersion: rollouts.example/v1
kind: Rollout
metadata: {name: a}
spec:
  image: not-a-container
  template:
    spec:
      initContainers: [{name: a, image: "one:1"}]
      containers: [{name: a, image: "two:1"}, {name: b, image: "one:1"}]
      volumes: [{name: v, image: {reference: "three:1"}}, {name: w, emptyDir: {}}]
`, "ns")
	require.NoError(t, err)
	images, err := objects.Images()
	require.NoError(t, err)
	require.Equal(t, []string{"one:1", "three:1", "two:1"}, images)
}
