package main

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func TestCheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, checkpointName)
	if _, err := loadCheckpoint(path); !errors.Is(err, errNoCheckpoint) {
		t.Fatalf("%v", err)
	}
	want := &checkpoint{Task: "toy", Step: 3, Joules: 5, Weights: floatBytes([]float64{1, -2.5, 0}), Velocity: floatBytes([]float64{0, 1, 2})}
	for range 2 { // the second replaces the first
		if err := want.save(path); err != nil {
			t.Fatal(err)
		}
	}
	got, err := loadCheckpoint(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, %v", got, err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("temporary files are left: %v, %v", files, err)
	}
	w := make([]float64, 3)
	if err := readFloats(w, got.Weights); err != nil || !slices.Equal(w, []float64{1, -2.5, 0}) {
		t.Fatalf("%v, %v", w, err)
	}
	if err := readFloats(w, got.Weights[:23]); err == nil {
		t.Fatal("cut weights pass")
	}
	if err := readFloats(w[:1], floatBytes([]float64{math.NaN()})); err == nil {
		t.Fatal("NaN passes")
	}

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		changed := slices.Clone(data)
		changed[i] ^= 1
		if c, err := parseCheckpoint(changed); err == nil && (c.Step != want.Step || !slices.Equal(c.Weights, want.Weights) || c.Task != want.Task) {
			t.Fatalf("byte %d changed unnoticed: %+v", i, c)
		}
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte(`{"version":1,"step":-1}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseCheckpoint(data)
		if err == nil && (c.Version != checkpointVersion || c.Step < 0) {
			t.Fatalf("%+v", c)
		}
	})
}
