package fuzz

import (
	"fmt"

	"pgregory.net/rapid"
)

// Charts hand parts of their values on to Kubernetes as they are, and their schemas say little of them. The generators
// below draw such parts as Kubernetes takes them, for Schema.Narrow.

const (
	labelName = `[a-z]([-a-z0-9]{0,20}[a-z0-9])?`
	labelKey  = `([a-z]([-a-z0-9]{0,10}[a-z0-9])?\.example/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?`
	labelText = `([A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?)?`
)

// Quantities draws amounts of memory or of other things that are counted in bytes.
func Quantities() *rapid.Generator[any] {
	return rapid.StringMatching(`[1-9][0-9]{0,3}(\.[1-9])?(k|M|G|Ki|Mi|Gi)`).AsAny()
}

// Labels draws mappings that are labels.
func Labels() *rapid.Generator[any] {
	return rapid.Map(rapid.MapOfN(rapid.StringMatching(labelKey), rapid.StringMatching(labelText), 0, listLimit), plainMap)
}

// Annotations draws mappings that are annotations.
func Annotations() *rapid.Generator[any] {
	values := rapid.OneOf(rapid.SampledFrom(awkward), words())
	return rapid.Map(rapid.MapOfN(rapid.StringMatching(labelKey), values, 0, listLimit), plainMap)
}

func plainMap(texts map[string]string) any {
	result := map[string]any{}
	for key, text := range texts {
		result[key] = text
	}
	return result
}

// LabelSelectors draws label selectors.
func LabelSelectors() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		selector := map[string]any{}
		if rapid.Bool().Draw(t, "labels") {
			selector["matchLabels"] = Labels().Draw(t, "matchLabels")
		}
		if rapid.Bool().Draw(t, "expressions") {
			selector["matchExpressions"] = []any{expression(t)}
		}
		return selector
	})
}

func expression(t *rapid.T) any {
	result := map[string]any{
		"key":      rapid.StringMatching(labelKey).Draw(t, "key"),
		"operator": rapid.SampledFrom([]string{"Exists", "DoesNotExist", "In", "NotIn"}).Draw(t, "operator"),
	}
	if operator := result["operator"]; operator == "In" || operator == "NotIn" {
		result["values"] = []any{rapid.StringMatching(labelText).Draw(t, "value")}
	}
	return result
}

// Affinities draws affinities of a pod.
func Affinities() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		affinity := map[string]any{}
		if rapid.Bool().Draw(t, "nodes") {
			affinity["nodeAffinity"] = map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
				"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{expression(t)}}},
			}}
		}
		if rapid.Bool().Draw(t, "pods") {
			affinity["podAntiAffinity"] = map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": []any{
				map[string]any{"topologyKey": "kubernetes.io/hostname", "labelSelector": LabelSelectors().Draw(t, "selector")},
			}}
		}
		return affinity
	})
}

// Tolerations draws tolerations of a pod.
func Tolerations() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		toleration := map[string]any{"key": rapid.StringMatching(labelKey).Draw(t, "key"), "operator": "Exists"}
		if rapid.Bool().Draw(t, "equal") {
			toleration["operator"], toleration["value"] = "Equal", rapid.StringMatching(labelText).Draw(t, "value")
		}
		if rapid.Bool().Draw(t, "evict") {
			toleration["effect"], toleration["tolerationSeconds"] = "NoExecute", float64(rapid.IntRange(0, 3600).Draw(t, "seconds"))
		}
		return toleration
	})
}

// EnvVars draws environment variables; their names do not begin as those of a chart are likely to.
func EnvVars() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		env := map[string]any{"name": rapid.StringMatching(`X_[A-Z0-9_]{1,10}`).Draw(t, "name")}
		if rapid.Bool().Draw(t, "from") {
			env["valueFrom"] = map[string]any{"fieldRef": map[string]any{"fieldPath": "metadata.namespace"}}
		} else {
			env["value"] = rapid.SampledFrom(awkward).Draw(t, "value")
		}
		return env
	})
}

// Volumes draws volumes of a pod; their names do not begin as those of a chart are likely to.
func Volumes() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		volume := map[string]any{"name": "x-" + rapid.StringMatching(labelName).Draw(t, "name")}
		switch uniform(t, 3) {
		case 0:
			volume["emptyDir"] = map[string]any{}
		case 1:
			volume["configMap"] = map[string]any{"name": rapid.StringMatching(labelName).Draw(t, "configMap"), "optional": true}
		case 2:
			volume["secret"] = map[string]any{"secretName": rapid.StringMatching(labelName).Draw(t, "secret")}
		}
		return volume
	})
}

// Objects draws whole objects: ConfigMaps, whose names do not begin as those of a chart are likely to.
func Objects() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		return map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap",
			"metadata": map[string]any{"name": "x-" + rapid.StringMatching(labelName).Draw(t, "name")},
			"data":     map[string]any{"key": words().Draw(t, "data")},
		}
	})
}

// CIDRs draws address ranges.
func CIDRs() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		a, b := rapid.IntRange(1, 223).Draw(t, "a"), rapid.IntRange(0, 255).Draw(t, "b")
		return rapid.SampledFrom([]string{fmt.Sprintf("%d.%d.0.0/16", a, b), fmt.Sprintf("%d.%d.0.1/32", a, b), fmt.Sprintf("2001:db8:%x::/48", b)}).Draw(t, "cidr")
	})
}

// NetworkPolicyPeers draws peers of a NetworkPolicy.
func NetworkPolicyPeers() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		if rapid.Bool().Draw(t, "addresses") {
			return map[string]any{"ipBlock": map[string]any{"cidr": "10.0.0.0/8", "except": []any{
				fmt.Sprintf("10.%d.0.0/16", rapid.IntRange(0, 255).Draw(t, "except")),
			}}}
		}
		return map[string]any{"podSelector": LabelSelectors().Draw(t, "pods"), "namespaceSelector": LabelSelectors().Draw(t, "namespaces")}
	})
}

// Schedules draws schedules of a CronJob.
func Schedules() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		minute, hour := rapid.IntRange(0, 59).Draw(t, "minute"), rapid.IntRange(0, 23).Draw(t, "hour")
		return rapid.SampledFrom([]string{
			"@daily", fmt.Sprintf("%d %d * * *", minute, hour), fmt.Sprintf("*/%d * * * 1-5", minute+1),
		}).Draw(t, "schedule")
	})
}
