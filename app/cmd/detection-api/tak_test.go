package main

import "testing"

func TestEndpointsAreLoggedWithoutSecrets(t *testing.T) {
	got := endpointNames("tls://a:8089, https://b:8443/cot?token=s3cret\n tcp://c:8087?window=1")
	if want := "tls://a:8089,https://b:8443/cot,tcp://c:8087"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := endpointNames(""); got != "" {
		t.Errorf("none: got %q", got)
	}
}
