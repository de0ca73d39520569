package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// checkpoint is the state of a run between two steps. What the run has spent of its budget is not in it: the trail knows,
// and restoring a model must never restore budget.
type checkpoint struct {
	Version  int     `json:"version"`
	Task     string  `json:"task"` // what the weights are for
	Data     []byte  `json:"data"` // digest of the data set
	Step     int     `json:"step"` // steps applied
	Keyed    bool    `json:"keyed"`
	Joules   float64 `json:"joules"`      // energy so far
	Grams    float64 `json:"grams"`       // emissions so far
	Unknown  float64 `json:"unknown_kwh"` // part of the energy whose intensity was not known
	Weights  []byte  `json:"weights"`
	Velocity []byte  `json:"velocity"`
	Digest   []byte  `json:"digest"` // SHA-256 of all but the energy
}

const checkpointVersion = 1

// maxCheckpoint bounds what is read: a file of another kind must not fill the memory.
const maxCheckpoint = 256 << 20

// errNoCheckpoint says that there is nothing to go on from.
var errNoCheckpoint = errors.New("no checkpoint")

func floatBytes(xs []float64) []byte {
	out := make([]byte, 0, 8*len(xs))
	for _, x := range xs {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out
}

// readFloats fills dst, which must have just the length that data holds, with finite numbers.
func readFloats(dst []float64, data []byte) error {
	if len(data) != 8*len(dst) {
		return fmt.Errorf("%d bytes, want %d", len(data), 8*len(dst))
	}
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		if math.IsNaN(dst[i]) || math.IsInf(dst[i], 0) {
			return fmt.Errorf("value %d is %v", i, dst[i])
		}
	}
	return nil
}

func (c *checkpoint) sum() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %x %d %v %d\n", c.Version, c.Task, c.Data, c.Step, c.Keyed, len(c.Weights))
	h.Write(c.Weights)
	h.Write(c.Velocity)
	return h.Sum(nil)
}

// save writes the checkpoint so that after a crash at any moment either the old or the new one is there, whole.
func (c *checkpoint) save(path string) error {
	c.Version = checkpointVersion
	c.Digest = c.sum()
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return writeFile(path, data)
}

// writeFile replaces a file atomically and durably: temporary file, fsync, rename, fsync of the directory.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrPermission) {
		return err // Windows cannot fsync a directory, and says so with a permission error
	}
	return nil
}

// loadCheckpoint reads a checkpoint and checks its digest.
func loadCheckpoint(path string) (*checkpoint, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoCheckpoint
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCheckpoint+1))
	if err != nil {
		return nil, err
	}
	c, err := parseCheckpoint(data)
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return c, nil
}

func parseCheckpoint(data []byte) (*checkpoint, error) {
	if len(data) > maxCheckpoint {
		return nil, fmt.Errorf("more than %d bytes", maxCheckpoint)
	}
	var c checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	switch {
	case c.Version != checkpointVersion:
		return nil, fmt.Errorf("version %d, want %d", c.Version, checkpointVersion)
	case !bytes.Equal(c.Digest, c.sum()):
		return nil, errors.New("digest does not match: the file is damaged")
	case c.Step < 0:
		return nil, fmt.Errorf("step %d is negative", c.Step)
	}
	return &c, nil
}
