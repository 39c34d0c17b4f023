package main

import (
	"flag"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/detection-api/detection-api/app/internal/cot"
	"github.com/detection-api/detection-api/app/internal/relay"
	"github.com/detection-api/detection-api/app/internal/server"
	"github.com/detection-api/detection-api/app/internal/tak"
)

// takFlags say where events go, as whom, and how they look there.
type takFlags struct {
	pins                 string
	profile, profileFile string
}

func (f *takFlags) register(fs *flag.FlagSet, c *server.ServeConfig) {
	fs.StringVar(&c.TAKAddr, "tak-addr", "",
		"TAK `endpoints` in order of preference, with commas: host:port or tcp://, tls://, udp://, http://, https://;\n"+
			"empty: nothing is sent")
	fs.StringVar(&c.TAKTLS.CAFile, "tak-ca", "",
		"`file` with the only authorities that are trusted (PEM or Java trust store); empty: the system's")
	fs.StringVar(&c.TAKTLS.CertFile, "tak-cert", "", "`file` with the client certificate, PEM")
	fs.StringVar(&c.TAKTLS.KeyFile, "tak-key", "", "`file` with its key, PEM")
	fs.StringVar(&c.TAKTLS.P12File, "tak-p12", "", "`file` with client certificate and key, PKCS#12")
	fs.StringVar(&c.TAKTLS.PasswordFile, "tak-password-file", "", "`file` with the password of the PKCS#12 files")
	fs.StringVar(&c.TAKTLS.ServerName, "tak-server-name", "",
		"`name` that the server's certificate must have; empty: the endpoint's host")
	fs.BoolVar(&c.TAKTLS.AnyName, "tak-any-name", false, "accept a certificate for any name, of the given authority or pin")
	fs.StringVar(&f.pins, "tak-pin", "", "SHA-256 `sums` of the server's public key, one of which must fit, with commas")
	fs.StringVar(&c.TAKMethod, "tak-http-method", http.MethodPut, "PUT or POST, for http and https endpoints")
	fs.DurationVar(&c.TAKReturnAfter, "tak-return-after", tak.DefaultReturnAfter, "how long an endpoint that failed is passed over")
	fs.Float64Var(&c.BacklogRate, "tak-backlog-rate", relay.DefaultBacklogRate,
		"`events` a second, at most, of those that waited for more than a minute; 0: no limit")
	fs.DurationVar(&c.TAKExpireAfter, "tak-expire-after", 0,
		"detections that waited longer are not sent any more and stay in the record; 0: they are sent however old")
	fs.DurationVar(&c.CoTStale, "cot-stale", 5*time.Minute,
		"how long an event stays on the map after it was sent, where the CoT profile does not say")
	fs.DurationVar(&c.CoTCameras, "cot-cameras", 0,
		"show where the cameras are and where they look, each of them at most once in this time; 0: do not show them")
	fs.StringVar(&f.profile, "cot-profile", "", "how object classes look on the map: tactical (the default) or sar")
	fs.StringVar(&f.profileFile, "cot-profile-file", "", "JSON `file` that changes a built-in CoT profile; see docs/cot.md")
}

// resolve checks the flags and reads the CoT profile. The files of TLS are read at each connection.
func (f *takFlags) resolve(c *server.ServeConfig) (err error) {
	if c.TAKAddr != "" {
		if _, err := tak.ParseEndpoints(c.TAKAddr); err != nil {
			return wrongUsage("tak-addr: %w", err)
		}
	}
	c.TAKTLS.Pins = strings.FieldsFunc(f.pins, func(r rune) bool { return r == ',' || r == ' ' })
	if c.TAKMethod != http.MethodPut && c.TAKMethod != http.MethodPost {
		return wrongUsage("tak-http-method: want PUT or POST, got %q", c.TAKMethod)
	}
	if !(c.BacklogRate >= 0) {
		return wrongUsage("tak-backlog-rate: want a number of at least 0, got %v", c.BacklogRate)
	}
	if c.TAKExpireAfter != 0 && c.TAKExpireAfter < time.Minute {
		return wrongUsage("tak-expire-after: want 0 or at least 1m, got %v", c.TAKExpireAfter)
	}
	if c.CoTCameras != 0 && c.CoTCameras < time.Second {
		return wrongUsage("cot-cameras: want 0 or at least 1s, got %v", c.CoTCameras)
	}
	c.CoTProfile, err = f.cotProfile()
	return err
}

func (f *takFlags) cotProfile() (*cot.Profile, error) {
	if f.profile != "" && f.profileFile != "" {
		return nil, wrongUsage("give --cot-profile or --cot-profile-file, not both: the file says which profile it changes")
	}
	if f.profileFile == "" {
		profile, err := cot.ProfileNamed(f.profile)
		if err != nil {
			return nil, wrongUsage("cot-profile: %w", err)
		}
		return profile, nil
	}
	text, err := os.ReadFile(f.profileFile)
	if err != nil {
		return nil, wrongUsage("cot-profile-file: %w", err)
	}
	profile, err := cot.ParseProfile(text)
	if err != nil {
		return nil, wrongUsage("cot-profile-file %s: %w", f.profileFile, err)
	}
	return profile, nil
}

// endpointNames returns the endpoints as they may be logged: without the queries of their URLs, which may hold secrets.
func endpointNames(list string) string {
	endpoints, err := tak.ParseEndpoints(list)
	if err != nil {
		return "" // resolve has refused it
	}
	names := make([]string, len(endpoints))
	for i, endpoint := range endpoints {
		names[i] = endpoint.String()
	}
	return strings.Join(names, ",")
}
