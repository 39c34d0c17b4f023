package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// application is what the sync needs to know of an argoproj.io/v1alpha1 Application.
type application struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Destination       struct{ Namespace string }
		IgnoreDifferences []ignoredDifference
		SyncPolicy        struct {
			Automated                *struct{ Prune bool }
			SyncOptions              []string
			ManagedNamespaceMetadata *struct{ Labels, Annotations map[string]string }
		}
	}
}

// ignoredDifference names fields whose live value stays.
type ignoredDifference struct {
	Group, Kind, Name, Namespace             string
	JSONPointers                             []string
	JQPathExpressions, ManagedFieldsManagers []string
}

func loadApplication(path string) (*application, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	app := &application{}
	if err := yaml.Unmarshal(text, app); err != nil {
		return nil, fmt.Errorf("read Application %s: %w", path, err)
	}
	if app.Kind != "Application" || app.Metadata.Name == "" || app.Spec.Destination.Namespace == "" {
		return nil, fmt.Errorf("%s: not an Application with a name and a destination namespace", path)
	}
	return app, app.check()
}

// check refuses what would be synced in another way than Argo CD does.
func (a *application) check() error {
	for _, option := range []string{"ApplyOutOfSyncOnly=true", "FailOnSharedResource=true"} {
		if a.option(option) {
			return errors.New("sync option " + option + " is not simulated")
		}
	}
	for _, ignored := range a.Spec.IgnoreDifferences {
		if len(ignored.JQPathExpressions)+len(ignored.ManagedFieldsManagers) > 0 {
			return errors.New("ignoreDifferences: only jsonPointers are simulated")
		}
	}
	return nil
}

// option tells whether a sync option is set, such as PruneLast=true.
func (a *application) option(option string) bool {
	return slices.Contains(a.Spec.SyncPolicy.SyncOptions, option)
}

// optionValue returns what stands after key=, or nil.
func (a *application) optionValue(key string) *string {
	for _, option := range a.Spec.SyncPolicy.SyncOptions {
		if value, ok := strings.CutPrefix(option, key+"="); ok {
			return &value
		}
	}
	return nil
}

func (a *application) prune() bool {
	return a.Spec.SyncPolicy.Automated != nil && a.Spec.SyncPolicy.Automated.Prune
}

func loadManifests(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	objects, err := kube.SplitYAML(text)
	if err != nil {
		return nil, fmt.Errorf("read manifests %s: %w", path, err)
	}
	return objects, nil
}
