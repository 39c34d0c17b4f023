package local_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/detection-api/detection-api/tests/cluster/dataplane"
	"github.com/detection-api/detection-api/tests/cluster/local"
	"github.com/detection-api/detection-api/tests/cluster/local/parts"
	procs "github.com/detection-api/detection-api/tests/cluster/local/process"
	"github.com/detection-api/detection-api/tests/cluster/local/state"
	"github.com/detection-api/detection-api/tests/cluster/manifest"
	"github.com/detection-api/detection-api/tests/image"
)

// buildVariable makes these tests build the cluster's programs if they are not in the cache.
const buildVariable = "CLUSTER_TEST_BUILD"

// cacheDir is the user's, so that programs are not built for each run.
func cacheDir(t *testing.T) string {
	t.Helper()
	base, err := os.UserCacheDir()
	require.NoError(t, err)
	return filepath.Join(base, "detection-api")
}

// options skips the test where it cannot run, and says why.
func options(t *testing.T, name string) local.Options {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a cluster: not with -short")
	}
	if err := local.Check(); err != nil {
		t.Skip(err)
	}
	opts := local.Options{Name: name, Workers: 3, CacheDir: cacheDir(t), Progress: func(line string) { t.Log(line) }}
	source, err := parts.DefaultSource()
	require.NoError(t, err)
	builder := parts.Builder{Source: source, Cache: filepath.Join(opts.CacheDir, "parts"), Progress: opts.Progress}
	_, cached, err := builder.Cached(t.Context())
	require.NoError(t, err)
	if !cached && os.Getenv(buildVariable) == "" {
		t.Skipf("the cluster's programs are not built: set %s=1 to build them (ten minutes)", buildVariable)
	}
	return opts
}

func TestCluster(t *testing.T) {
	opts := options(t, "harness-test")
	before := outsidePaths()
	c, err := local.Start(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop(context.Background())) })
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	user := user{cluster: c, config: config, client: client}

	t.Run("data plane", func(t *testing.T) { require.NoError(t, dataplane.Check(t.Context(), config, c.ProbeImage())) })
	t.Run("data-plane check notices missing policies", func(t *testing.T) { user.testUnenforced(t, opts) })
	t.Run("kubeconfig is private", func(t *testing.T) {
		info, err := os.Stat(c.Kubeconfig())
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	})
	t.Run("nodes and zones", user.testZones)
	t.Run("loaded image", func(t *testing.T) { user.testLoadedImage(t, opts) })
	t.Run("volume", user.testVolume)
	t.Run("killed container", user.testKilledContainer)
	t.Run("partition", user.testPartition)
	t.Run("stopped node", user.testStoppedNode)
	t.Run("export", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, c.Export(t.Context(), dir))
		require.FileExists(t, filepath.Join(dir, "components", "kube-apiserver.log"))
	})
	t.Run("stop leaves nothing", func(t *testing.T) {
		for kind, found := range traces(t, opts) { // the positive control: the search does find a running cluster
			require.NotEmpty(t, found, kind)
		}
		require.NoError(t, c.Stop(t.Context()))
		requireNoTraces(t, opts)
		require.Equal(t, before, outsidePaths())
		require.NoError(t, c.Stop(t.Context()), "a second stop does nothing")
	})
}

// TestKilledInMidStart kills a starting harness at several points, then lets another process clean up.
func TestKilledInMidStart(t *testing.T) {
	opts := options(t, "harness-kill")
	program := filepath.Join(t.TempDir(), "cluster")
	output, err := exec.Command("go", "build", "-o", program, "../../cmd/cluster").CombinedOutput()
	require.NoError(t, err, "%s", output)
	directory, err := state.At(filepath.Join(opts.CacheDir, "clusters"), opts.Name)
	require.NoError(t, err)
	for _, point := range []string{"cluster.json", "control-plane/ca.crt", "machines/control-plane.pid", "machines/node2.json", "machines/node3.pid", "nodes/node1/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db"} {
		t.Run(point, func(t *testing.T) {
			require.NoError(t, local.Remove(t.Context(), opts))
			command := exec.Command(program, "up", "-provider", "local", "-name", opts.Name)
			require.NoError(t, command.Start())
			await(t, time.Minute, func() error {
				_, err := os.Stat(directory.Path(point))
				return err
			})
			require.NoError(t, command.Process.Kill())
			require.Error(t, command.Wait())
			require.NotEmpty(t, traces(t, opts)["files"], "the positive control: something was left")
			require.NoError(t, local.Remove(t.Context(), opts))
			requireNoTraces(t, opts)
		})
	}
}

// traces finds what a cluster has on this machine, by kind.
func traces(t *testing.T, opts local.Options) map[string][]string {
	t.Helper()
	directory, err := state.At(filepath.Join(opts.CacheDir, "clusters"), opts.Name)
	require.NoError(t, err)
	found := map[string][]string{"files": nil, "links": nil, "control groups": nil, "processes": nil}
	if _, err := os.Stat(directory.Path()); err == nil {
		found["files"] = []string{directory.Path()}
	}
	found["links"] = glob(t, "/sys/class/net/"+directory.Bridge()+"*")
	found["control groups"] = append(glob(t, "/sys/fs/cgroup/"+directory.Cgroup()), glob(t, "/sys/fs/cgroup/*/"+directory.Cgroup())...)
	for _, process := range glob(t, "/proc/[0-9]*") {
		// The nodes' processes, pods included, by their control group; the control plane's by its arguments. One that has
		// ended and was not yet waited for by its new parent, the machine's first process, does not count.
		pid, err := strconv.Atoi(filepath.Base(process))
		require.NoError(t, err)
		if id, err := procs.Identify(pid); err != nil || !id.Alive() {
			continue
		}
		if contains(process+"/cgroup", "/"+directory.Cgroup()) || contains(process+"/cmdline", directory.Path()+"/") {
			found["processes"] = append(found["processes"], process)
		}
	}
	return found
}

func requireNoTraces(t *testing.T, opts local.Options) {
	t.Helper()
	for kind, found := range traces(t, opts) {
		require.Empty(t, found, kind)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), filepath.Join(opts.CacheDir, "clusters", opts.Name))
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return found
}

func contains(path, text string) bool {
	content, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(content), text)
}

// outsidePaths are places where nodes usually write, and a local cluster must not.
func outsidePaths() []string {
	var found []string
	for _, path := range []string{
		"/etc/cni", "/opt/cni", "/opt/containerd", "/run/containerd", "/run/netns", "/run/xtables.lock", "/usr/libexec/kubernetes",
		"/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
	} {
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// await polls until done returns nil.
func await(t *testing.T, limit time.Duration, done func() error) {
	t.Helper()
	var last error
	require.Eventually(t, func() bool { last = done(); return last == nil }, limit, 20*time.Millisecond, "%v", errorText(&last))
}

// errorText prints an error as it is when the message is made, not when it is passed.
func errorText(err *error) fmt.Stringer { return stringer(func() string { return fmt.Sprint(*err) }) }

type stringer func() string

func (s stringer) String() string { return s() }

// user is somebody who works with the cluster.
type user struct {
	cluster *local.Cluster
	config  *rest.Config
	client  kubernetes.Interface
}

// testUnenforced is the positive control of the data-plane check: with the policy agents stopped it must fail, and at the
// policy.
func (u user) testUnenforced(t *testing.T, opts local.Options) {
	var agents []*os.Process
	for _, path := range traces(t, opts)["processes"] {
		if contains(path+"/comm", "netpol") {
			pid, err := strconv.Atoi(filepath.Base(path))
			require.NoError(t, err)
			agent, err := os.FindProcess(pid)
			require.NoError(t, err)
			agents = append(agents, agent)
		}
	}
	require.Len(t, agents, 3)
	for _, agent := range agents {
		require.NoError(t, agent.Signal(syscall.SIGSTOP))
		defer func() { require.NoError(t, agent.Signal(syscall.SIGCONT)) }()
	}
	err := dataplane.Check(t.Context(), u.config, u.cluster.ProbeImage())
	require.ErrorContains(t, err, "wait for stranger-near to be kept from")
}

func (u user) testZones(t *testing.T) {
	nodes, err := u.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	zones := map[string]string{}
	for _, node := range nodes.Items {
		zones[node.Name] = node.Labels[corev1.LabelTopologyZone]
	}
	require.Equal(t, map[string]string{"node1": "zone-a", "node2": "zone-b", "node3": "zone-c"}, zones)
}

// testLoadedImage runs a pod of a compressed image, which no node has had before and none may pull.
func (u user) testLoadedImage(t *testing.T, opts local.Options) {
	programs := glob(t, filepath.Join(opts.CacheDir, "parts", parts.KubernetesVersion+"-*", "bin", "pause"))
	built, err := image.Build(image.Spec{
		Ref: "registry.internal/loaded:1", Entrypoint: []string{"/pause"}, User: "1000:1000",
		Files: []image.File{{Path: "/pause", Source: programs[0], Mode: 0o755}},
	})
	require.NoError(t, err)
	archive := filepath.Join(t.TempDir(), "loaded.tar")
	require.NoError(t, built.WriteFile(archive))
	require.NoError(t, u.cluster.LoadImage(t.Context(), archive))
	pod := strings.NewReplacer("keeper", "loaded", "cluster.local/probe:1", built.Ref()).Replace(volumePod)
	pod = strings.NewReplacer("name: data, namespace", "name: more, namespace", "claimName: data", "claimName: more").Replace(pod)
	require.NoError(t, manifest.Apply(t.Context(), u.config, []byte(pod)))
	u.awaitReady(t, "loaded", 0)
}

// volumePod mounts a volume as a user other than root, with a group for it to belong to.
const volumePod = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOncePod], resources: {requests: {storage: 10Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: keeper, namespace: default}
spec:
  nodeSelector: {kubernetes.io/hostname: node2}
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: probe
    image: cluster.local/probe:1
    imagePullPolicy: Never
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
`

func (u user) testVolume(t *testing.T) {
	require.NoError(t, manifest.Apply(t.Context(), u.config, []byte(volumePod)))
	u.awaitReady(t, "keeper", 0)
	claim, err := u.client.CoreV1().PersistentVolumeClaims("default").Get(t.Context(), "data", metav1.GetOptions{})
	require.NoError(t, err)
	volume, err := u.client.CoreV1().PersistentVolumes().Get(t.Context(), claim.Spec.VolumeName, metav1.GetOptions{})
	require.NoError(t, err)
	affinity := volume.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0]
	require.Equal(t, []string{"node2"}, affinity.Values)
	directory := filepath.Join(filepath.Dir(u.cluster.Kubeconfig()), "nodes", "node2", volume.Spec.Local.Path)
	info, err := os.Stat(directory)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSetgid, info.Mode()&fs.ModeSetgid, "the kubelet has given the volume to the pod's group")
}

func (u user) testKilledContainer(t *testing.T) {
	require.NoError(t, u.cluster.KillContainer(t.Context(), "default", "keeper", "probe"))
	u.awaitReady(t, "keeper", 1)
}

func (u user) testPartition(t *testing.T) {
	require.NoError(t, u.cluster.Partition(t.Context(), "node3"))
	u.awaitNode(t, "node3", corev1.ConditionUnknown)
	require.NoError(t, u.cluster.Heal(t.Context(), "node3"))
	u.awaitNode(t, "node3", corev1.ConditionTrue)
}

func (u user) testStoppedNode(t *testing.T) {
	require.NoError(t, u.cluster.StopNode(t.Context(), "node2"))
	u.awaitNode(t, "node2", corev1.ConditionUnknown)
	require.NoError(t, u.cluster.StartNode(t.Context(), "node2"))
	u.awaitNode(t, "node2", corev1.ConditionTrue)
	u.awaitReady(t, "keeper", 2)
	require.NoError(t, dataplane.Check(t.Context(), u.config, u.cluster.ProbeImage()))
}

func (u user) awaitNode(t *testing.T, name string, wanted corev1.ConditionStatus) {
	t.Helper()
	await(t, 2*time.Minute, func() error {
		node, err := u.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == wanted {
				return nil
			}
		}
		return fmt.Errorf("%s is not %s", name, wanted)
	})
}

func (u user) awaitReady(t *testing.T, pod string, restarts int32) {
	t.Helper()
	await(t, 2*time.Minute, func() error {
		found, err := u.client.CoreV1().Pods("default").Get(t.Context(), pod, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, status := range found.Status.ContainerStatuses {
			if status.Ready && status.RestartCount >= restarts {
				return nil
			}
		}
		return fmt.Errorf("%s is %s: %+v", pod, found.Status.Phase, found.Status.ContainerStatuses)
	})
}
