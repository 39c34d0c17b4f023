package network_test

import (
	"fmt"
	"log"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/detection-api/detection-api/tests/network"
)

// A database that one application may reach, and what the policies make of an intruder in the same namespace.
func ExampleEvaluate() {
	policy := &networkingv1.NetworkPolicy{}
	err := yaml.UnmarshalStrict([]byte(`
metadata: {name: db-from-web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432, protocol: TCP}]}]
`), policy)
	if err != nil {
		log.Fatal(err)
	}
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	labelled := func(app string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}}}
	}
	table, err := network.Evaluate([]*networkingv1.NetworkPolicy{policy}, []network.Peer{
		network.Pod("web", "10.0.0.1", shop, labelled("web")),
		network.Pod("db", "10.0.0.2", shop, labelled("db"), network.TCP(5432)),
		network.Pod("intruder", "10.0.0.3", shop, labelled("intruder")),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(table)
	// Output:
	// # peers: name, ports, namespace, labels or address
	// web                 shop  app=web
	// db        5432/TCP  shop  app=db
	// intruder            shop  app=intruder
	// # allowed: from, to, port, egress granted by, ingress granted by
	// web  -> db  5432/TCP  (no policy)  db-from-web
	// # half open: one end grants what the other denies
	// # denied: the other 2 of 3
}
