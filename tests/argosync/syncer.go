package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// syncer is one sync operation of an Application.
type syncer struct {
	application *application
	targets     []*unstructured.Unstructured
	config      *rest.Config
	waveDelay   time.Duration

	steps   int
	started metav1.Time
	phase   common.OperationPhase
	message string
	results []common.ResourceSyncResult
}

// step is one line of the output.
type step struct {
	Step    int    `json:"step"`
	Phase   string `json:"phase"`   // of the operation: Running, Succeeded, Failed, Error
	Message string `json:"message"` // what it waits for, or why it ended
	Tasks   []task `json:"tasks"`   // those that this step ran, or whose state it changed
}

// task is an object that was applied, pruned or waited for.
type task struct {
	Order     int    `json:"order"` // in which the tasks of the operation were run
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	SyncPhase string `json:"syncPhase"` // PreSync, Sync, PostSync, SyncFail
	Result    string `json:"result"`    // Synced, SyncFailed, Pruned, PruneSkipped
	State     string `json:"state"`     // Running until the object is healthy, then Succeeded
	Message   string `json:"message"`
}

// step reads the live state and runs the engine once.
func (s *syncer) step(ctx context.Context) (step, error) {
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	found, err := kubectl.GetAPIResources(s.config, true, excluded{})
	if err != nil {
		return step{}, err
	}
	kinds := resources(found)
	live, err := s.liveObjects(ctx, kinds)
	if err != nil {
		return step{}, err
	}
	namespace := s.application.Spec.Destination.Namespace
	result := sync.Reconcile(s.track(kinds), live, namespace, kinds)
	if s.application.option("RespectIgnoreDifferences=true") {
		s.application.respectIgnored(result)
	}
	if s.steps == 0 {
		s.started = metav1.Now()
	}
	engine, cleanup, err := sync.NewSyncContext("simulated", result, s.config, s.config, kubectl, namespace, s.options()...)
	if err != nil {
		return step{}, fmt.Errorf("start sync: %w", err)
	}
	defer cleanup()
	engine.Sync(ctx)
	before := s.results
	s.phase, s.message, s.results = engine.GetState()
	s.steps++
	return step{Step: s.steps, Phase: string(s.phase), Message: s.message, Tasks: changed(before, s.results)}, nil
}

// options are those that Argo CD's controller makes of an Application (controller/sync.go of Argo CD 3.6).
func (s *syncer) options() []sync.SyncOpt {
	app := s.application
	propagation := metav1.DeletePropagationForeground
	switch {
	case app.option("PrunePropagationPolicy=background"):
		propagation = metav1.DeletePropagationBackground
	case app.option("PrunePropagationPolicy=orphan"):
		propagation = metav1.DeletePropagationOrphan
	}
	options := []sync.SyncOpt{
		sync.WithLogr(logr.Discard()),
		sync.WithOperationSettings(false, app.prune(), false, false),
		sync.WithInitialState(s.phase, s.message, s.results, s.started),
		sync.WithManifestValidation(!app.option(common.SyncOptionsDisableValidation)),
		sync.WithSyncWaveHook(s.pauseAfterWave),
		sync.WithPruneLast(app.option(common.SyncOptionPruneLast)),
		sync.WithPrunePropagationPolicy(&propagation),
		sync.WithReplace(app.option(common.SyncOptionReplace)),
		sync.WithServerSideApply(app.option(common.SyncOptionServerSideApply)),
		sync.WithServerSideApplyManager("argocd-controller"),
		sync.WithClientSideApplyMigration(!app.option(common.SyncOptionDisableClientSideApplyMigration), common.DefaultClientSideApplyMigrationManager),
		sync.WithDefaultPruneOption(app.optionValue(common.SyncOptionPrune)),
		sync.WithSkipDryRunOnMissingResource(app.option(common.SyncOptionSkipDryRunOnMissingResource)),
	}
	if app.option("CreateNamespace=true") {
		options = append(options, sync.WithNamespaceModifier(app.namespaceModifier))
	}
	return options
}

// namespaceModifier says whether the sync writes the Namespace, and what.
func (a *application) namespaceModifier(managed, live *unstructured.Unstructured) (bool, error) {
	metadata := a.Spec.SyncPolicy.ManagedNamespaceMetadata
	if metadata == nil {
		return live == nil, nil
	}
	annotations := map[string]string{common.AnnotationSyncOptions: common.SyncOptionServerSideApply}
	maps.Copy(annotations, metadata.Annotations)
	managed.SetLabels(metadata.Labels)
	managed.SetAnnotations(annotations)
	return true, nil
}

func (s *syncer) pauseAfterWave(_ common.SyncPhase, _ int, final bool) error {
	if !final {
		time.Sleep(s.waveDelay) // as Argo CD does: other controllers get time to notice the wave
	}
	return nil
}

// changed returns the results of now that before has not.
func changed(before, now []common.ResourceSyncResult) []task {
	known := map[task]bool{}
	for _, result := range before {
		known[taskOf(result)] = true
	}
	tasks := []task{}
	for _, result := range now {
		if t := taskOf(result); !known[t] {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

func taskOf(result common.ResourceSyncResult) task {
	key := result.ResourceKey
	return task{
		Order: result.Order, Group: key.Group, Kind: key.Kind, Namespace: key.Namespace, Name: key.Name,
		SyncPhase: string(result.SyncPhase), Result: string(result.Status), State: string(result.HookPhase), Message: result.Message,
	}
}
