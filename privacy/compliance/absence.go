package compliance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"
)

const (
	maxPlaces = 20      // shown of those found
	maxRuns   = 1 << 16 // of one check
)

// BatchRef names a batch.
type BatchRef struct {
	Run    string `json:"run"`
	Number uint64 `json:"number"`
}

// Absence is the result of List.Check: which batches have somebody who should have been absent. It names no one.
type Absence struct {
	// Listed is the number of persons on the list, and List its digest.
	Listed int64  `json:"listed"`
	List   string `json:"list"`
	// Complete says that all manifests were read to their end, intact.
	Complete bool `json:"complete"`
	// Manifest is the digest of all manifests.
	Manifest string   `json:"manifest"`
	Runs     []string `json:"runs,omitempty"` // that have batches, sorted
	Batches  int64    `json:"batches"`
	IDs      int64    `json:"ids"` // in all batches, repeats included
	// Gaps is how many numbers were left out where a number of a run follows a lower one, as the sources are read. Where each of
	// several workers writes its own manifest there are some.
	Gaps int64 `json:"gaps,omitempty"`
	// Found is how often somebody was in a batch at or after the moment from which they must be absent.
	Found  int64      `json:"found"`
	Places []BatchRef `json:"places,omitempty"` // the first 20 of those batches
	// Earlier are the runs, sorted, that read somebody before that moment: what they trained may have to be assessed again.
	Earlier []string `json:"earlier,omitempty"`
}

// Source is where batches come from: a ManifestReader, or an iterator of the caller's.
type Source interface {
	// Key is that of the pseudonyms.
	Key() KeyID
	// Batches yields all batches. A pair with an error is the last.
	Batches() iter.Seq2[Batch, error]
	// Digest identifies what was read, after it was read to its end; "" says that it was not.
	Digest() string
}

// Check looks for listed persons in batches, in one pass and in memory that does not depend on the number of batches. On an error the
// Absence holds what was seen before it and is not Complete. It refuses sources with pseudonyms of another key, matching ErrKey:
// nobody would be found in them.
func (l *List) Check(sources ...Source) (Absence, error) {
	a := Absence{Listed: int64(l.Len()), List: l.Digest()}
	for _, s := range sources {
		if s.Key() != l.key {
			return a, fmt.Errorf("%w: list %v, batches %v", ErrKey, l.key, s.Key())
		}
	}
	runs := make(map[string]trace)
	digests := sha256.New()
	var err error
	for _, s := range sources {
		if err = l.scan(s, &a, runs); err != nil {
			break
		}
		fmt.Fprintln(digests, s.Digest())
		if s.Digest() == "" {
			err = invalid("source's digest", `""`, "one, after the end")
			break
		}
	}
	for name, t := range runs {
		a.Runs = append(a.Runs, name)
		if t.earlier {
			a.Earlier = append(a.Earlier, name)
		}
	}
	slices.Sort(a.Runs)
	slices.Sort(a.Earlier)
	if err == nil {
		a.Complete = true
		a.Manifest = hex.EncodeToString(digests.Sum(nil))
	}
	return a, err
}

// trace is what a check remembers of a run.
type trace struct {
	earlier bool   // had somebody listed, before their moment
	last    uint64 // batch
}

func (l *List) scan(s Source, a *Absence, runs map[string]trace) error {
	var last BatchRef
	for b, err := range s.Batches() {
		if err != nil {
			return err
		}
		at, ok := nanoseconds(b.Time)
		if !ok {
			return invalid("batch's time", b.Time.Format(time.RFC3339), "a year from 1970 to 2261")
		}
		ref := BatchRef{b.Run, b.Number}
		if ref != last || a.Batches == 0 {
			a.Batches++
			last = ref
		}
		a.IDs += int64(len(b.IDs))
		seen, known := runs[b.Run]
		if !known && len(runs) == maxRuns {
			return invalid("manifest's runs", len(runs)+1, fmt.Sprintf("at most %d", maxRuns))
		}
		if known && b.Number > seen.last+1 && seen.last < math.MaxUint64 {
			a.Gaps += int64(min(b.Number-seen.last-1, uint64(math.MaxInt64-a.Gaps)))
		}
		seen.last = b.Number
		for i := range b.IDs {
			from, ok := l.from(&b.IDs[i])
			switch {
			case !ok:
			case at < from:
				seen.earlier = true
			default:
				a.Found++
				if n := len(a.Places); n < maxPlaces && (n == 0 || a.Places[n-1] != ref) {
					a.Places = append(a.Places, ref)
				}
			}
		}
		runs[b.Run] = seen
	}
	return nil
}
