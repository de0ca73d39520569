package carbon

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var _ Provider = (*Table)(nil)

func tableOf(t testing.TB, zone string) *Table {
	t.Helper()
	tab, err := NewTable(zone)
	require.NoError(t, err)
	return tab
}

// tableFile reads a CSV of the shared data, or skips the test.
func tableFile(t *testing.T, path ...string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "shared", "data", "carbon"}, path...)...))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the source tables are not here")
	}
	require.NoError(t, err)
	all, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	require.NoError(t, err)
	return all[1:]
}

func tableTime(year int) time.Time { return time.Date(year, 7, 1, 12, 34, 56, 0, time.UTC) }

func TestTableRungs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		zone   string
		year   int
		want   Strategy
		mean   Intensity // 0: not checked
		source string
	}{
		{"DE", 2026, Typical, 0, "zone DE in 2022"},
		{"de", 2026, Typical, 0, "zone DE in 2022"},
		{"DE", 2022, Yearly, 445.7, "zone DE in 2021"}, // its values of 2022 were not known in 2022
		{"DE", 2021, Yearly, 392.7, "zone DE in 2020"},
		{"DE", 1999, Yearly, 392.7, "zone DE in 2020"},
		{"AT", 2026, Yearly, 220, "zone AT in 2021"},
		{"AU-NSW", 2026, Yearly, 593, "zone AU-NSW in 2022"},
		{"AUS-NSW", 2026, Country, 548.692, "country AU in 2023"}, // no zone key, whatever a well-known table says
		{"US-CA", 2026, Country, 369.473, "country US in 2023"},   // a state, not a zone
		{"US", 2022, Country, 378.625, "country US in 2021 (Ember)"},
		{"USA", 2026, Country, 369.473, "country US in 2023"},
		{"IN-DL", 2026, Country, 713.441, "country IN in 2023"},
		{"EU-FR", 2026, World, 442.3, "world"},
		{"CAISO_NORTH", 2026, World, 442.3, "world"},
		{"CF", 2026, World, 442.3, "world"}, // a rounded mean of 0 is no grid
	} {
		r, err := tableOf(t, tc.zone).At(t.Context(), tableTime(tc.year))
		require.NoError(t, err, tc.zone)
		require.NoError(t, r.check(tableTime(tc.year), Average), tc.zone)
		require.Equal(t, tc.want, r.Strategy, tc.zone)
		require.Contains(t, r.Source, tc.source, tc.zone)
		require.Equal(t, tc.zone, r.Zone)
		require.Equal(t, Estimated, r.Basis, "%s: a typical value is never a measurement", tc.zone)
		require.Equal(t, Lifecycle, r.Scope)
		require.Positive(t, r.ExpectedError, tc.zone)
		if tc.mean != 0 {
			require.Equal(t, tc.mean, r.Intensity, tc.zone)
		}
	}
}

func TestTableAge(t *testing.T) {
	t.Parallel()
	tab := tableOf(t, "PL")
	last := 0.
	for year := 2023; year < 2030; year++ {
		r, err := tab.Of(Yearly, tableTime(year))
		require.NoError(t, err)
		require.Greater(t, r.ExpectedError, last, "older figures err more")
		last = r.ExpectedError
		require.Equal(t, time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), r.Newest)
		require.Equal(t, tableTime(year).Sub(r.Newest), r.Age(tableTime(year)))
	}
	for _, s := range []Strategy{0, Fresh, Cached, Climatology, Neighbour, World + 1} {
		_, err := tab.Of(s, noon)
		require.ErrorIs(t, err, ErrNoData, s)
	}
	_, err := tab.Of(Typical, tableTime(2022))
	require.ErrorIs(t, err, ErrNoData, "the days of 2022 were not known in 2022")
	// Better knowledge errs less.
	at := tableTime(2026)
	var errs []float64
	for _, s := range []Strategy{Typical, Yearly, Country, World} {
		r, err := tab.Of(s, at)
		require.NoError(t, err)
		errs = append(errs, r.ExpectedError)
	}
	require.IsIncreasing(t, errs)
}

func TestTableRefusals(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"", strings.Repeat("x", 65)} {
		_, err := NewTable(zone)
		require.ErrorContains(t, err, "carbon: table: ")
	}
	for _, none := range []*Table{nil, {}} {
		_, err := none.At(t.Context(), noon)
		require.ErrorIs(t, err, ErrNoData)
		_, err = none.Of(World, noon)
		require.ErrorIs(t, err, ErrNoData)
	}
	// No name makes a row of its own.
	for _, zone := range []string{",", "DE,", "#", "\n", "zone", "DE\n", " DE", "2020", "-", "-DE"} {
		r, err := tableOf(t, zone).At(t.Context(), noon)
		require.NoError(t, err)
		require.Equal(t, World, r.Strategy, "%q", zone)
	}
}

// TestTableRows reads every row of the built-in tables.
func TestTableRows(t *testing.T) {
	t.Parallel()
	at := tableTime(2026)
	zones := 0
	for row := range rows(zonesCSV) {
		zone, _, _ := strings.Cut(row, ",")
		r, err := tableOf(t, zone).Of(Yearly, at)
		require.NoError(t, err, row)
		require.NoError(t, r.check(at, Average), row)
		require.Positive(t, r.Intensity, row)
		require.Less(t, r.ExpectedError, 1., row)
		_, err = tableOf(t, zone).Of(Country, at)
		require.NoError(t, err, "%s: the country of a zone is known", row)
		zones++
	}
	require.Equal(t, 123, zones)
	countries := 0
	for row := range rows(countriesCSV) {
		f := strings.Split(row, ",")
		require.Len(t, f, 5)
		require.Len(t, f[0]+f[1], 5, row)
		for _, key := range f[:2] {
			r, err := tableOf(t, key).Of(Country, at)
			require.NoError(t, err, row)
			require.NoError(t, r.check(at, Average), row)
			require.Positive(t, r.Intensity, row)
		}
		countries++
	}
	require.Equal(t, 212, countries)
	shapes := map[string]float64{}
	for row := range rows(shapesCSV) {
		f := strings.Split(row, ",")
		require.Len(t, f, 27, row)
		for _, v := range f[3:] {
			x, err := strconv.Atoi(v)
			require.NoError(t, err, row)
			shapes[f[0]] += float64(x) / 1000
		}
	}
	require.Len(t, shapes, 8)
	for zone, sum := range shapes {
		require.InDelta(t, 1, sum/(12*24), .01, "%s: the shape keeps the mean of the year", zone)
	}
}

// TestTableAgainstSources compares the figures with the tables that they were taken from.
func TestTableAgainstSources(t *testing.T) {
	t.Parallel()
	number := func(s string) Intensity {
		v, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return Intensity(v)
	}
	for _, row := range tableFile(t, "tables", "zone_yearly_2020_2021.csv") {
		tab := tableOf(t, row[0])
		require.Equal(t, number(row[1]), tab.figure(Yearly, 2021).mean, row)
		require.Equal(t, number(row[2]), tab.figure(Yearly, 2022).mean, row)
	}
	for _, row := range tableFile(t, "tables", "zone_2022_spread_subset.csv") {
		require.Equal(t, number(row[1]), tableOf(t, row[0]).figure(Yearly, 2023).mean, row)
	}
	for _, row := range tableFile(t, "tables", "country_yearly_owid_codecarbon.csv") {
		f := tableOf(t, row[0]).figure(Country, 2030)
		if row[2] == "0.0" {
			require.Nil(t, f, row)
			continue
		}
		if y, _ := strconv.Atoi(row[3]); y < 2021 && f.year == 2021 {
			continue
		}
		require.Equal(t, number(row[2]), f.mean, row)
		require.Equal(t, row[3], strconv.Itoa(f.year), row)
	}
	for _, row := range tableFile(t, "tables", "ember_2021_gridintensitygo.csv") {
		switch {
		case row[2] == "World":
			require.Equal(t, number(row[5]), Intensity(worldMean))
		case row[1] != "":
			require.Equal(t, number(row[5]), tableOf(t, row[0]).figure(Country, 2022).mean, row)
			require.Equal(t, tableOf(t, row[0]).figure(Country, 2022), tableOf(t, row[1]).figure(Country, 2022), row)
		}
	}
}

// TestTableMeasuredErrors works the stated errors out again: hour by hour where the trace is known, else from mean and spread.
func TestTableMeasuredErrors(t *testing.T) {
	t.Parallel()
	type stats struct{ mean, std float64 }
	known := map[string]stats{}
	for _, row := range tableFile(t, "tables", "zone_2022_spread_subset.csv") {
		mean, _ := strconv.ParseFloat(row[1], 64)
		std, _ := strconv.ParseFloat(row[2], 64)
		known[row[0]] = stats{mean, std}
	}
	traces := map[string]*Trace{}
	for _, zone := range []string{"DE", "GB", "FR", "US-CAL-CISO", "US-MIDA-PJM", "AU-SA", "PL", "SG"} {
		traces[zone] = realTrace(t, "em_2022_hourly_8zones.csv.gz", TraceOptions{Zone: zone})
	}
	miss := func(zone string, say float64) float64 {
		if tr := traces[zone]; tr != nil {
			off, sum := 0., 0.
			for _, s := range tr.spans {
				off += math.Abs(say - float64(s.value))
				sum += float64(s.value)
			}
			return off / sum
		}
		return math.Hypot(.82*known[zone].std, say-known[zone].mean) / known[zone].mean
	}
	var country, world, n float64
	for zone, s := range known {
		if s.std == 0 {
			continue // a feed that says the same all year tells nothing of its error
		}
		tab := tableOf(t, zone)
		y := tab.figure(Yearly, 2022)
		require.InDelta(t, miss(zone, float64(y.mean)), y.err, .0006, zone)
		country += miss(zone, float64(tab.figure(Country, 2030).mean))
		world += miss(zone, worldMean)
		n++
	}
	require.InDelta(t, countryError, country/n, .005)
	require.InDelta(t, worldError, world/n, .005)
	require.Equal(t, 57., n)

	drift, zones := 0., 0.
	for _, row := range tableFile(t, "tables", "zone_yearly_2020_2021.csv") {
		a, _ := strconv.ParseFloat(row[1], 64)
		b, _ := strconv.ParseFloat(row[2], 64)
		drift += math.Abs(b/a - 1)
		zones++
	}
	require.InDelta(t, yearlyDrift, drift/zones, .001)

	// The eight zones against the figures that were published beside the traces.
	text, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "carbon", "fallback_errors_dev.json"))
	require.NoError(t, err)
	var published map[string]map[string]any
	require.NoError(t, json.Unmarshal(text, &published))
	for zone := range traces {
		require.InDelta(t, published[zone]["yearly_average_2021"], 100*tableOf(t, zone).figure(Yearly, 2022).err, .9, zone)
	}
}

// TestTableUsualDayOutOfSample: the day of 2022 against the hours of 2023, which it has not seen, beats the mean of the year
// and errs about as much as it says.
func TestTableUsualDayOutOfSample(t *testing.T) {
	t.Parallel()
	tr := realTrace(t, "em_portal_US-CAL-CISO_2023_hourly.csv.gz", TraceOptions{
		Zone: "US-CAL-CISO", ZoneColumn: "Zone Id", ValueColumn: "Carbon Intensity gCO₂eq/kWh (LCA)", EstimatedColumn: "Data Estimated",
	})
	tab := tableOf(t, "US-CAL-CISO")
	off := map[Strategy]float64{}
	sum, said := 0., 0.
	for _, s := range tr.spans {
		at := time.UnixMilli(s.from)
		for _, strategy := range []Strategy{Typical, Yearly, Country, World} {
			r, err := tab.Of(strategy, at)
			require.NoError(t, err)
			require.True(t, r.Covers(at))
			off[strategy] += math.Abs(float64(r.Intensity - s.value))
			if strategy == Typical {
				said = r.ExpectedError
			}
		}
		sum += float64(s.value)
	}
	t.Logf("WAPE over 2023: usual day %.1f %%, year %.1f %%, country %.1f %%, world %.1f %%; said %.1f %%", 100*off[Typical]/sum,
		100*off[Yearly]/sum, 100*off[Country]/sum, 100*off[World]/sum, 100*said)
	require.Less(t, off[Typical], .6*off[Yearly])
	require.InDelta(t, said, off[Typical]/sum, .02)
}

func TestTableAllocs(t *testing.T) {
	for _, zone := range []string{"DE", "AT", "US-CA", "nowhere"} {
		tab := tableOf(t, zone)
		ctx := t.Context()
		require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = tab.At(ctx, noon) }), zone)
	}
}

func TestLookupRegion(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"gcp australia-southeast1": "AU-NSW", // not AUS-NSW
		"gcp australia-southeast2": "AU-VIC",
		"gcp europe-west3":         "DE",
		"gcp us-central1":          "US-MIDW-MISO",
		"aws us-east-1":            "US-MIDA-PJM",
		"AWS EU-North-1":           "SE-SE3",
		"azure westeurope":         "NL",
		"azure spaincentral":       "ES", // though a list of places has Madrid in the sea
	} {
		cloud, name, _ := strings.Cut(in, " ")
		r, err := LookupRegion(cloud, name)
		require.NoError(t, err, in)
		require.Equal(t, want, r.Zone, in)
		require.Equal(t, want[:2], r.Country, in)
		require.NotEmpty(t, r.Place)
	}
	for _, in := range []string{"gcp us-east-1", "aws us-east-9", "gcp ", " us-east-1", "azure brazilus", "gcp europe", "ibm eu-de", "aws us-east-1,"} {
		cloud, name, _ := strings.Cut(in, " ")
		_, err := LookupRegion(cloud, name)
		require.ErrorIs(t, err, ErrRegion, "%q: never the zone of another region", in)
	}
}

// TestRegionRows: every region stands once, its zone is a key of the zone list, and its country is in the table.
func TestRegionRows(t *testing.T) {
	t.Parallel()
	var keys map[string]any
	text, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "carbon", "fixtures", "electricitymaps", "v3_zones.json"))
	if err == nil {
		require.NoError(t, json.Unmarshal(text, &keys))
	}
	seen := map[string]bool{}
	for row := range rows(regionsCSV) {
		f := strings.Split(row, ",")
		require.Len(t, f, 5, row)
		require.Contains(t, []string{"map", "place"}, f[4], row)
		require.False(t, seen[f[0]+f[1]], row)
		seen[f[0]+f[1]] = true
		r, err := LookupRegion(f[0], f[1])
		require.NoError(t, err, row)
		if keys != nil {
			require.Contains(t, keys, r.Zone, row)
		}
		got, err := tableOf(t, r.Zone).At(t.Context(), noon)
		require.NoError(t, err)
		require.LessOrEqual(t, got.Strategy, Country, row)
	}
	require.Greater(t, len(seen), 130)
	for _, row := range tableFile(t, "tables", "gcp_region_carbon_2024.csv") {
		require.True(t, seen["gcp"+row[0]], row)
	}
}

func BenchmarkTable(b *testing.B) {
	for _, zone := range []string{"DE", "nowhere"} {
		tab := tableOf(b, zone)
		b.Run(zone, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = tab.Of(World, noon)
			}
		})
	}
}
