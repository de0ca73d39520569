package neardup

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// All pairs of texts that people wrote, by the index and by the definition.
func TestOnTexts(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, kind := range []string{"text", "techdoc", "log"} {
		data, err := os.ReadFile("../../../shared/data/validate/benign_" + kind + ".jsonl")
		if err != nil {
			t.Skip("needs ../shared/data/validate")
		}
		n := 0
		for line := range strings.Lines(string(data)) {
			var row struct{ S string }
			require.NoError(t, json.Unmarshal([]byte(line), &row))
			texts = append(texts, row.S)
			if n++; n == 250 {
				break
			}
		}
	}
	for _, threshold := range []float64{0.5, 0.8} {
		x := index(t, Options{Threshold: threshold, Words: 2, Keep: 1 << 20, Compare: 1 << 20})
		for _, text := range texts {
			x.Add(text, "")
		}
		found := map[[2]int64]bool{}
		for _, p := range x.Report().Pairs {
			found[[2]int64{p.First, p.Second}] = true
		}
		sets := make([]map[string]bool, x.texts)
		for i := range sets {
			sets[i] = shingles(texts[x.text(i).row-1], 2)
		}
		var pairs, near, surely, missed, wrong, far int
		for i := range sets {
			for j := range i {
				s := jaccard(sets[i], sets[j])
				hit := found[[2]int64{x.text(j).row - 1, x.text(i).row - 1}]
				pairs++
				if s >= threshold {
					near++
				}
				if s >= threshold+0.1 {
					surely++
					if !hit {
						missed++
					}
				}
				if hit && s < threshold {
					wrong++
				}
				if hit && s < threshold-0.1 {
					far++
				}
			}
		}
		t.Logf("threshold %v: %d pairs, %d at it or above, %d by 0.1, of which %d missed; of %d reported %d are below, %d by 0.1",
			threshold, pairs, near, surely, missed, len(found), wrong, far)
		require.LessOrEqual(t, missed, 1+surely/50)
		require.LessOrEqual(t, far, 1+len(found)/50)
		require.NotZero(t, near)
	}
}
