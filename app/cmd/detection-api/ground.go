package main

import (
	"flag"
	"os"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/geo"
	"github.com/detection-api/detection-api/app/internal/terrain"
)

// groundFlags say what is known of cameras and of the ground.
type groundFlags struct {
	cameras string
	terrain terrain.Options
	datum   string
}

func (f *groundFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.cameras, "camera-profiles", "",
		"JSON `file` of what is known of cameras, by camera_id: sigmas, focal length, principal point, distortion,\n"+
			"heading reference; see docs/geolocation.md")
	fs.StringVar(&f.terrain.Dir, "terrain", "",
		"`directory` of height models: SRTM HGT, DTED, GeoTIFF; empty: the ground is where the client says")
	fs.Int64Var(&f.terrain.CacheBytes, "terrain-cache-bytes", terrain.DefaultCacheBytes,
		"memory for their posts in `bytes`, at most")
	fs.StringVar(&f.datum, "terrain-datum", string(terrain.MSL),
		"msl or hae: what the heights of GeoTIFFs that do not say are counted from")
	fs.Float64Var(&f.terrain.SigmaMetres, "terrain-sigma-m", terrain.DefaultSigmaMetres,
		"standard deviation in `metres` of heights where a file states none")
}

// resolve checks the flags and reads the cameras.
func (f *groundFlags) resolve() (detection.Profiles, terrain.Options, error) {
	f.terrain.Datum = terrain.Datum(f.datum)
	if f.terrain.Datum != terrain.MSL && f.terrain.Datum != terrain.HAE {
		return nil, f.terrain, wrongUsage("terrain-datum: want %s or %s, got %q", terrain.MSL, terrain.HAE, f.datum)
	}
	if f.terrain.CacheBytes <= 0 || !(f.terrain.SigmaMetres > 0) {
		return nil, f.terrain, wrongUsage("terrain-cache-bytes and terrain-sigma-m: want numbers above 0")
	}
	if f.cameras == "" {
		return nil, f.terrain, nil
	}
	text, err := os.ReadFile(f.cameras)
	if err != nil {
		return nil, f.terrain, wrongUsage("camera-profiles: %w", err)
	}
	profiles, err := detection.ParseProfiles(text)
	if err != nil {
		return nil, f.terrain, wrongUsage("camera-profiles %s: %w", f.cameras, err)
	}
	return profiles, f.terrain, nil
}

// locator is what a command without a service locates with.
func (f *groundFlags) locator(thresholds geo.Thresholds) (detection.Locator, error) {
	l := detection.Locator{Sigmas: geo.DefaultSigmas(), Thresholds: thresholds}
	profiles, opts, err := f.resolve()
	if err != nil || opts.Dir == "" {
		l.Profiles = profiles
		return l, err
	}
	model, err := terrain.Open(opts)
	if err != nil {
		return l, err
	}
	l.Profiles, l.Terrain = profiles, model
	return l, nil
}
