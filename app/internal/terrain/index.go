package terrain

import (
	"cmp"
	"math"
	"slices"
)

// index finds the tiles at a point. Each tile is in the squares of a map with squares at least as large as it is, so in four
// of them at most; a look-up goes through the few maps there are.
type index struct {
	levels []level // from small squares to large ones
}

type level struct {
	sizeDeg float64
	squares map[square][]*tile // each in the order of their ranks
}

type square struct{ row, column int }

// newIndex ranks the tiles: the finest first, and by name where they are alike.
func newIndex(tiles []*tile) index {
	for _, t := range tiles {
		// Posts as far apart as those of another tile, but for a hundredth, are no finer.
		t.fineness = int(math.Round(100 * math.Log(t.postMetres())))
	}
	slices.SortStableFunc(tiles, func(a, b *tile) int {
		if order := cmp.Compare(a.fineness, b.fineness); order != 0 {
			return order
		}
		return cmp.Compare(a.path, b.path)
	})
	var ix index
	for rank, t := range tiles {
		t.rank = rank
		ix.add(t)
	}
	for _, t := range tiles {
		ix.relate(t)
	}
	return ix
}

// coarser is the difference in fineness from which on a tile is much coarser than another: posts 1.65 times as far apart.
const coarser = 50

// add puts a tile into its squares.
func (ix *index) add(t *tile) {
	extent := max(t.footprint.north-t.footprint.south, t.footprint.east-t.footprint.west)
	size := math.Exp2(math.Ceil(math.Log2(max(extent, 1e-3))))
	t.sizeDeg = size
	at, found := slices.BinarySearchFunc(ix.levels, size, func(l level, size float64) int { return cmp.Compare(l.sizeDeg, size) })
	if !found {
		ix.levels = slices.Insert(ix.levels, at, level{sizeDeg: size, squares: map[square][]*tile{}})
	}
	for s := range ix.levels[at].around(t.footprint) {
		ix.levels[at].squares[s] = append(ix.levels[at].squares[s], t)
	}
}

// around lists the squares that a box touches.
func (l *level) around(b box) func(yield func(square) bool) {
	return func(yield func(square) bool) {
		first, last := l.at(b.south-slackDeg, b.west-slackDeg), l.at(b.north+slackDeg, b.east+slackDeg)
		for row := first.row; row <= last.row; row++ {
			for column := first.column; column <= last.column; column++ {
				if !yield(square{row, column}) {
					return
				}
			}
		}
	}
}

func (l *level) at(lat, lon float64) square {
	return square{int(math.Floor(lat / l.sizeDeg)), int(math.Floor(lon / l.sizeDeg))}
}

// next returns the best tile at a point after the one of a rank, and what has to be added to the longitude to be in its turn.
func (ix *index) next(lat, lon float64, after int) (best *tile, turn float64) {
	for i := range ix.levels {
		l := &ix.levels[i]
		for _, turned := range [...]float64{0, 360} { // a tile over the antimeridian goes on past 180
			for _, t := range l.squares[l.at(lat, lon+turned)] {
				if t.rank > after && (best == nil || t.rank < best.rank) && t.footprint.contains(lat, lon+turned) {
					best, turn = t, turned
					break
				}
			}
		}
	}
	return best, turn
}

// relate notes, for a tile and those in squares as large or larger, which lies over which. Each pair is seen once.
func (ix *index) relate(t *tile) {
	seen := map[*tile]bool{t: true}
	for i := range ix.levels {
		l := &ix.levels[i]
		if l.sizeDeg < t.sizeDeg {
			continue
		}
		for _, turn := range [...]float64{-360, 0, 360} {
			moved := t.footprint.turned(turn)
			for s := range l.around(moved) {
				for _, other := range l.squares[s] {
					if !seen[other] && other.footprint.overlaps(moved) && (l.sizeDeg > t.sizeDeg || t.rank < other.rank) {
						seen[other] = true
						cover(t, other, turn)
					}
				}
			}
		}
	}
}

// cover notes which of two tiles lies over the other; the first, moved by a turn, is in the turn of the second.
func cover(t, other *tile, turn float64) {
	if t.rank < other.rank {
		other.finer = append(other.finer, t.footprint.turned(turn))
	} else {
		t.finer = append(t.finer, other.footprint.turned(-turn))
	}
}
