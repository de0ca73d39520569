package carbon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"
)

// A history file holds the readings that begin on one UTC day: a line with a checksum, then a line of JSON per reading.

const (
	historyMagic   = "carbon-history 1 "
	historyMaxSize = 4 << 20
	historyLayout  = "2006-01-02"
	historySuffix  = ".readings"
)

var historySum = crc32.MakeTable(crc32.Castagnoli)

// historyLine is a reading as it is written. Times are milliseconds since 1970.
type historyLine struct {
	From      int64   `json:"from"`
	To        int64   `json:"to"`
	Intensity float64 `json:"g_per_kwh"`
	Basis     Basis   `json:"basis"`
	Scope     Scope   `json:"scope,omitempty"`
	Source    string  `json:"source"`
	Error     float64 `json:"expected_error,omitempty"`
}

func encodeHistory(readings []Reading) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	for _, r := range readings {
		err := enc.Encode(historyLine{r.From.UnixMilli(), r.To.UnixMilli(), float64(r.Intensity), r.Basis, r.Scope, r.Source, r.ExpectedError})
		if err != nil {
			return nil, err
		}
	}
	head := fmt.Sprintf("%s%08x\n", historyMagic, crc32.Checksum(body.Bytes(), historySum))
	if len(head)+body.Len() > historyMaxSize {
		return nil, fmt.Errorf("carbon: archive: %d bytes for one day, more than %d", body.Len(), historyMaxSize)
	}
	return append([]byte(head), body.Bytes()...), nil
}

// decodeHistory reads a history file; any fault is an error, and then nothing of it counts.
func decodeHistory(data []byte, zone string, signal Signal) ([]Reading, error) {
	if len(data) > historyMaxSize {
		return nil, fmt.Errorf("%d bytes, more than %d", len(data), historyMaxSize)
	}
	head, body, ok := bytes.Cut(data, []byte("\n"))
	text, found := bytes.CutPrefix(head, []byte(historyMagic))
	if !ok || !found {
		return nil, errors.New("not a history file")
	}
	sum, err := strconv.ParseUint(string(text), 16, 32)
	if err != nil || len(text) != 8 || uint32(sum) != crc32.Checksum(body, historySum) {
		return nil, errors.New("the checksum is wrong")
	}
	var out []Reading
	for line := range bytes.Lines(body) {
		var l historyLine
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&l); err != nil {
			return nil, err
		}
		r := Reading{Intensity: Intensity(l.Intensity), Signal: signal, Basis: l.Basis, Scope: l.Scope, Zone: zone, Source: l.Source,
			From: time.UnixMilli(l.From).UTC(), To: time.UnixMilli(l.To).UTC(), ExpectedError: l.Error}
		if err := r.check(r.From, signal); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// mergeHistory puts readings into order: of two for the same time the one of the better basis counts, of the same basis the
// later word. It reports whether that changed anything.
func mergeHistory(old, more []Reading) (all []Reading, changed bool) {
	all = slices.Clone(old)
	for _, r := range more {
		i, found := slices.BinarySearchFunc(all, r.From, func(a Reading, at time.Time) int { return a.From.Compare(at) })
		switch {
		case !found:
			all, changed = slices.Insert(all, i, r), true
		case r.Basis <= all[i].Basis && r != all[i]:
			all[i], changed = r, true
		}
	}
	return all, changed
}
