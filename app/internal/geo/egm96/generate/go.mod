module github.com/detection-api/detection-api/app/internal/geo/egm96/generate

go 1.26.0

require github.com/westphae/geomag v1.0.2
