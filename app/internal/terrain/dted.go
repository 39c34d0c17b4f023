package terrain

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// A DTED file is a user header label, a data set identification, an accuracy description and one record for each meridian,
// from the west; its posts go from the south. (MIL-PRF-89020B, sections 3.13.1 to 3.13.4 and appendix.)
const (
	dtedUHL    = 80
	dtedDSI    = 648
	dtedACC    = 2700
	dtedHeader = dtedUHL + dtedDSI + dtedACC
	dtedRecord = 8 + 4 // header and checksum around the posts
	dtedNull   = -32767
)

// openDTED reads the header.
func openDTED(path string, _ *Options) ([]*tile, error) {
	file, err := openSized(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t, err := parseDTED(file, file.size)
	if err != nil {
		return nil, err
	}
	t.model = "DTED" + path[len(path)-1:] // .dt0, .dt1, .dt2
	t.load = func() (*grid, error) { return loadDTED(path, t) }
	return []*tile{t}, nil
}

// parseDTED returns the tile that a header describes.
func parseDTED(file io.ReaderAt, size int64) (*tile, error) {
	header := make([]byte, dtedUHL+dtedDSI)
	if _, err := file.ReadAt(header, 0); err != nil {
		return nil, fmt.Errorf("%w: header: %w", errBroken, err)
	}
	uhl, dsi := header[:dtedUHL], header[dtedUHL:]
	if string(uhl[:4]) != "UHL1" || string(dsi[:3]) != "DSI" {
		return nil, fmt.Errorf("%w: no labels UHL1 and DSI", errBroken)
	}
	if datum := strings.TrimSpace(string(dsi[144:149])); datum != "" && datum != "WGS84" {
		return nil, fmt.Errorf("%w: horizontal datum %q, only WGS84 is", errUnsupported, datum)
	}
	west, errWest := dtedAngle(uhl[4:12], 'E', 'W')
	south, errSouth := dtedAngle(uhl[12:20], 'N', 'S')
	lonStep, errLon := dtedNumber(uhl[20:24]) // in tenths of a second of arc
	latStep, errLat := dtedNumber(uhl[24:28])
	columns, errColumns := dtedNumber(uhl[47:51])
	rows, errRows := dtedNumber(uhl[51:55])
	if err := errors.Join(errWest, errSouth, errLon, errLat, errColumns, errRows); err != nil {
		return nil, fmt.Errorf("%w: UHL: %w", errBroken, err)
	}
	if rows < 2 || columns < 2 || latStep < 1 || lonStep < 1 {
		return nil, fmt.Errorf("%w: UHL: %d lines of %d posts", errBroken, columns, rows)
	}
	if want := int64(dtedHeader) + int64(columns)*int64(dtedRecord+2*rows); size < want {
		return nil, fmt.Errorf("%w: %d bytes, %d lines of %d posts take %d", errBroken, size, columns, rows, want)
	}
	p := placement{
		westDeg: west, rows: rows, columns: columns,
		latStepDeg: float64(latStep) / 36000, lonStepDeg: float64(lonStep) / 36000,
	}
	p.northDeg = south + float64(rows-1)*p.latStepDeg
	if south < -90 || p.northDeg > 90+slackDeg || west < -180 || west > 360 || float64(columns-1)*p.lonStepDeg > 360 {
		return nil, fmt.Errorf("%w: UHL: it does not lie on earth", errBroken)
	}
	return &tile{datum: MSL, placement: p, sigmaMetres: dtedSigma(uhl[28:32])}, nil
}

// dtedSigma is the absolute vertical accuracy, of 90 %, as a standard deviation; 0 where the producer did not know it.
func dtedSigma(field []byte) float64 {
	const le90 = 1.6448536269514722 // the 90 % quantile of the absolute value of a standard normal variable
	accuracy, err := dtedNumber(field)
	if err != nil || accuracy <= 0 {
		return 0
	}
	return float64(accuracy) / le90
}

func dtedNumber(field []byte) (int, error) {
	return strconv.Atoi(strings.TrimSpace(string(field)))
}

// dtedAngle reads degrees, minutes, seconds and hemisphere: DDDMMSSH.
func dtedAngle(field []byte, plus, minus byte) (deg float64, err error) {
	end := len(field) - 1
	d, errD := strconv.Atoi(string(field[:end-4]))
	m, errM := strconv.Atoi(string(field[end-4 : end-2]))
	s, errS := strconv.Atoi(string(field[end-2 : end]))
	if err := errors.Join(errD, errM, errS); err != nil {
		return 0, err
	}
	deg = float64(d) + float64(m)/60 + float64(s)/3600
	switch field[end] {
	case plus:
		return deg, nil
	case minus:
		return -deg, nil
	}
	return 0, fmt.Errorf("%q names no hemisphere", field)
}

func loadDTED(path string, t *tile) (*grid, error) {
	file, err := openSized(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	now, err := parseDTED(file, file.size)
	if err != nil {
		return nil, err
	}
	now.settle()
	if now.placement != t.placement {
		return nil, fmt.Errorf("%w: it is not the tile that it was at the start", errBroken)
	}
	return readDTED(io.NewSectionReader(file, dtedHeader, file.size-dtedHeader), t)
}

// readDTED reads the records.
func readDTED(file io.Reader, t *tile) (*grid, error) {
	g, in, record := newGrid(t), bufio.NewReaderSize(file, 1<<16), make([]byte, dtedRecord+2*t.rows)
	for column := range t.columns {
		if _, err := io.ReadFull(in, record); err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", errBroken, column, err)
		}
		if err := checkDTED(record, column); err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", errBroken, column, err)
		}
		for i := range t.rows {
			if post := dtedPost(binary.BigEndian.Uint16(record[8+2*i:])); post != dtedNull {
				g.set(t.rows-1-i, column, float64(post))
			}
		}
	}
	g.finish(t)
	return g, nil
}

// checkDTED holds a record against its sentinel, its place and its checksum: the sum of all bytes before it.
func checkDTED(record []byte, column int) error {
	const sentinel = 0xaa
	if record[0] != sentinel {
		return fmt.Errorf("begins with %#x, not %#x", record[0], sentinel)
	}
	if line, first := binary.BigEndian.Uint16(record[4:]), binary.BigEndian.Uint16(record[6:]); int(line) != column || first != 0 {
		return fmt.Errorf("is of line %d from post %d on", line, first)
	}
	sum, end := uint32(0), len(record)-4
	for _, b := range record[:end] {
		sum += uint32(b)
	}
	if stated := binary.BigEndian.Uint32(record[end:]); stated != sum {
		return fmt.Errorf("has the checksum %d, its bytes sum up to %d", stated, sum)
	}
	return nil
}

// dtedPost reads sign and magnitude. Some producers wrote two's complement instead, which then looks far deeper than any
// ground.
func dtedPost(raw uint16) int {
	if raw&0x8000 == 0 {
		return int(raw)
	}
	post := -int(raw & 0x7fff)
	if post < lowestPostMetres && post != dtedNull {
		return int(int16(raw))
	}
	return post
}
