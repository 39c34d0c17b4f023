package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/detection-api/detection-api/app/internal/detection/storetest"
	"github.com/detection-api/detection-api/app/internal/torture"
)

// verdict is how a damaged database was met.
type verdict int

const (
	harmless verdict = iota // everything is there and right
	told                    // refused, set aside, or a read that failed
	lostEnd                 // a queue has all but its newest commits
	silent                  // something is missing or wrong and nobody said so
)

// damage is one bit that is flipped, or a file that is cut.
type damage struct {
	file string
	at   int
	bit  byte // 0: cut
}

func (d damage) String() string {
	if d.bit == 0 {
		return fmt.Sprintf("%s cut to %d bytes", d.file, d.at)
	}
	return fmt.Sprintf("%s: bits %08b of byte %d flipped", d.file, d.bit, d.at)
}

// crashFiles are the files of a directory as kill -9 leaves them.
type crashFiles map[string][]byte

func takeFiles(t *testing.T, dir string, names ...string) crashFiles {
	t.Helper()
	s := crashFiles{}
	for _, name := range names { // the database before its log: the log has what a checkpoint moves meanwhile
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		s[name] = content
	}
	return s
}

// damaged writes the files to a new directory, one of them damaged.
func (s crashFiles) damaged(d damage) (dir string, err error) {
	if dir, err = makeScratch(); err != nil {
		return "", err
	}
	for name, content := range s {
		if name == d.file && d.bit == 0 {
			content = content[:d.at]
		} else if name == d.file {
			content = bytes.Clone(content)
			content[d.at] ^= d.bit
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return dir, err
		}
	}
	return dir, nil
}

// anyDamage is at an even distance from the one before it, or a little beside, so that each part of each file has its turn.
func (s crashFiles) anyDamage(file string, n, of int, random *rand.Rand) damage {
	size := len(s[file])
	d := damage{file: file, at: min(size-1, size*n/of+random.IntN(max(1, size/of)))}
	if n%4 > 0 {
		d.bit = 1 << random.IntN(8)
	}
	return d
}

// damageFiles are the files that are damaged, in the order of the report.
var damageFiles = []string{"app.db", "app.db-wal", "app.db-head", "queue.db", "queue.db-wal", "copy.db"}

// damageRun damages files and counts how that was met.
type damageRun struct {
	files  map[string]crashFiles // what each file lies beside
	meet   map[string]func(damage) (verdict, error)
	counts map[string]*[silent + 1]int
	rounds int
}

func newDamageRun(t *testing.T) (run *damageRun, unchecked func(damage) (verdict, error)) {
	t.Helper()
	store, answers, copied := crashedStore(t)
	queue, queued := crashedQueue(t)
	census, err := Inspect(t.Context(), written(t, copied))
	if err != nil {
		t.Fatal(err)
	}
	copies := crashFiles{"copy.db": copied}
	meetStore := func(unchecked bool) func(damage) (verdict, error) {
		return func(d damage) (verdict, error) { return meetStore(store, answers, d, unchecked) }
	}
	meetQueue := func(d damage) (verdict, error) { return meetQueue(queue, queued, d) }
	run = &damageRun{
		files: map[string]crashFiles{
			"app.db": store, "app.db-wal": store, "app.db-head": store, "queue.db": queue, "queue.db-wal": queue, "copy.db": copies,
		},
		meet: map[string]func(damage) (verdict, error){
			"app.db": meetStore(false), "app.db-wal": meetStore(false), "app.db-head": meetStore(false),
			"queue.db": meetQueue, "queue.db-wal": meetQueue,
			"copy.db": func(d damage) (verdict, error) { return meetCopy(copies, census, d) },
		},
		counts: map[string]*[silent + 1]int{},
	}
	for _, name := range damageFiles {
		run.counts[name] = &[silent + 1]int{}
	}
	return run, meetStore(true)
}

// once damages each file at the n-th of its places.
func (r *damageRun) once(t *testing.T, n, of int, random *rand.Rand) {
	t.Helper()
	for _, name := range damageFiles {
		if name == "app.db-head" && n%8 > 0 {
			continue // it is small
		}
		d := r.files[name].anyDamage(name, n, of, random)
		v, err := r.meet[name](d)
		if err != nil {
			t.Fatal(err)
		}
		r.rounds++
		r.counts[name][v]++
		if v == silent || v == lostEnd {
			t.Errorf("%v: something is missing or wrong, and nobody is told", d)
		}
	}
}

func (r *damageRun) notes() string {
	var said strings.Builder
	said.WriteString("right, told, without the newest commits, wrong:")
	for _, name := range damageFiles {
		fmt.Fprintf(&said, " %s %v", name, *r.counts[name])
	}
	return said.String()
}

// TestDamage flips a bit or cuts the file at places all over the files that a killed process leaves and over a copy. Either
// everything that was acknowledged is there and right, or somebody is told. The positive control opens the store without looking first.
func TestDamage(t *testing.T) {
	budget, long := torture.Budget(t)
	seed := torture.Seed(t)
	run, unchecked := newDamageRun(t)
	of := 16
	if long {
		of = 150
	}
	end := time.Now().Add(budget)
	for round := uint64(0); round == 0 || time.Now().Before(end); round++ {
		random := rand.New(rand.NewPCG(seed, round))
		for n := range of {
			run.once(t, n, of, random)
		}
	}
	wrong := 0
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range of {
		for _, name := range []string{"app.db", "app.db-wal"} {
			if v, err := unchecked(run.files[name].anyDamage(name, n, of, random)); err != nil {
				t.Fatal(err)
			} else if v == silent {
				wrong++
			}
		}
	}
	if wrong == 0 {
		t.Error("without the checks nothing is wrong either: the test proves nothing")
	}
	lost := 0
	for _, counted := range run.counts {
		lost += counted[silent] + counted[lostEnd]
	}
	torture.Report(t, torture.Result{
		What: "one bit flipped, or the file cut", Rounds: run.rounds, Acknowledged: run.rounds * damageRecords, Lost: lost,
		Control: fmt.Sprintf("without the checks %d of %d places gave wrong answers", wrong, 2*of), Notes: run.notes(),
	})
}

// TestALargeStoreIsReadWhileItServes damages a detection in a way that SQLite does not see.
func TestALargeStoreIsReadWhileItServes(t *testing.T) {
	files, _, _ := crashedStore(t)
	content := bytes.ReplaceAll(files["app.db"], []byte("0.91"), []byte("0.99"))
	for name, damaged := range map[string]bool{"sound": false, "damaged": true} {
		dir := t.TempDir()
		for file, text := range files {
			if damaged && file == "app.db" {
				text = content
			}
			if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fatal := make(chan error, 1)
		s := openStore(t, StoreOptions{checkFirstBytes: 1, Options: Options{Dir: dir, MinFreeBytes: -1, Fatal: func(err error) { fatal <- err }}})
		if !damaged {
			if err := errors.Join(s.Ready(t.Context()), s.Close()); err != nil || len(fatal) > 0 { // Close does not wait for the check
				t.Errorf("%s: %v, %d fatal errors", name, err, len(fatal))
			}
			continue
		}
		select {
		case err := <-fatal:
			if !strings.Contains(err.Error(), "is not what was accepted") {
				t.Errorf("%s: Fatal was told %v", name, err)
			}
		case <-time.After(patience):
			t.Fatalf("%s: Fatal was not called within %v", name, patience)
		}
		if err := s.Ready(t.Context()); !errors.Is(err, detection.ErrUnavailable) {
			t.Errorf("%s: Ready = %v", name, err)
		}
		if err := s.Commit(t.Context(), storetest.Records(900, 901, "")); !errors.Is(err, detection.ErrUnavailable) {
			t.Errorf("%s: Commit = %v", name, err)
		}
	}
}
