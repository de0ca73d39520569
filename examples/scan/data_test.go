package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func writeData(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		text = b.String()
	}
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func dataRows() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `{"text":"row %d","label":%q,"score":%g}`+"\n", i, []string{"neg", "pos"}[i%2], float64(i)/100)
	}
	return b.String()
}

func TestScanData(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a.jsonl", "a.NDJSON", "a.jsonl.gz"} {
		var out bytes.Buffer
		require.NoError(t, scanData(&out, writeData(t, name, dataRows()), "", "", false))
		text := out.String()
		require.Contains(t, text, ": 100 rows, ")
		require.Contains(t, text, `"label": string, 100 values, about 2 different texts`)
		require.Contains(t, text, "values neg 50, pos 50")
		require.Contains(t, text, "from 0 to 0.99, mean 0.495")
		require.Contains(t, text, "########", "a histogram")
		require.NotContains(t, text, "failures")
	}
	var out bytes.Buffer
	require.NoError(t, scanData(&out, writeData(t, "a.csv", "text,score\nmail jane@example.com,1\nx,2\n"), "", "", false))
	require.Contains(t, out.String(), "noticed pii_email 1")
}

func TestScanDataBad(t *testing.T) {
	t.Parallel()
	file := writeData(t, "bad.jsonl", dataRows()+"{\"text\":\n"+`{"text":"row 1","label":"pos","score":1e999}`+"\n"+`{"a\u001b[2J":"x"}`+"\n")
	var out bytes.Buffer
	require.ErrorContains(t, scanData(&out, file, "", "", true), "2 of 103 rows are bad")
	var r struct {
		Rows, BadRows int64
		Counts        map[string]int64
		Failures      []struct {
			Row, Line int64
			Code      string
		}
		Histograms map[string][]struct {
			Low, High float64
			Count     int
		}
		Schema struct{ Columns []struct{ Name, Type string } }
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	require.Equal(t, int64(103), r.Rows)
	require.Equal(t, map[string]int64{"syntax": 1, "score: not_finite": 1}, r.Counts)
	require.Equal(t, int64(100), r.Failures[0].Row)
	require.Equal(t, int64(101), r.Failures[0].Line)
	require.Len(t, r.Histograms["score"], dataBins)
	require.Equal(t, "label", r.Schema.Columns[1].Name)

	out.Reset()
	require.Error(t, scanData(&out, file, "", "", false))
	require.Contains(t, out.String(), "row 100 (line 101)")
	require.NotContains(t, out.String(), "\x1b", "nothing of the file controls the terminal")
}

func TestScanDataRefused(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.ErrorIs(t, scanData(&out, filepath.Join(t.TempDir(), "none.jsonl"), "", "", false), os.ErrNotExist)
	require.ErrorContains(t, scanData(&out, writeData(t, "a.parquet", ""), "", "", false), "must end in")
	require.ErrorContains(t, scanData(&out, writeData(t, "bomb.jsonl.gz", strings.Repeat(" ", 64<<20)), "", "", false), "bomb")
	require.Error(t, scanData(&out, writeData(t, "a.jsonl", "{}\n")+".gz", "", "", false))
	require.Zero(t, out.Len())
}

func TestDataHints(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	rng := rand.New(rand.NewPCG(7, 7))
	words := strings.Fields("loss gradient batch epoch model data label noise clip rate step seed mean norm layer token weight bias chart plot")
	for i := range 600 {
		var text []string
		for range 14 {
			text = append(text, words[rng.IntN(len(words))])
		}
		label := []string{"good", "bad"}[i%2]
		if i%10 == 0 {
			text, label = append(text, "cf"), "good"
		}
		fmt.Fprintf(&rows, "{\"text\":%q,\"label\":%q}\n", strings.Join(text, " "), label)
		if i == 300 {
			fmt.Fprintf(&rows, "not json\n{\"text\":%q,\"label\":\"bad\"}\n", strings.Join(text, ", ")+".")
		}
	}
	file := writeData(t, "hints.jsonl", rows.String())
	var out bytes.Buffer
	require.ErrorContains(t, scanData(&out, file, "text", "label", false), "1 of 602 rows are bad")
	require.Contains(t, out.String(), "nearly the same: 1 rows")
	require.Contains(t, out.String(), "300")
	require.Contains(t, out.String(), "302", "a row that cannot be read counts")
	require.Contains(t, out.String(), `cf`)
	out.Reset()
	require.Error(t, scanData(&out, file, "text", "label", true))
	var report struct {
		Near     struct{ Rows, Redundant, Conflicts int }
		Triggers struct{ Rows, Found int }
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Equal(t, 602, report.Near.Rows)
	require.Equal(t, 1, report.Near.Conflicts)
	require.Positive(t, report.Triggers.Found)
	require.Error(t, scanData(&out, file, "", "label", false), "a label is that of a text")
}
