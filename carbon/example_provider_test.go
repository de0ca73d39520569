package carbon_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/surefoot-ml/surefoot/carbon"
)

// A server of our own plays Electricity Maps. A job asks for the hour it runs in, and an unknown zone is an error rather
// than the intensity of some other place.
func ExampleElectricityMaps() {
	hour := time.Now().UTC().Truncate(time.Hour)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("zone") != "DE" {
			http.Error(w, `{"error":"Zone 'EU-FR' does not exist."}`, http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"zone":"DE","history":[{"carbonIntensity":312,"datetime":%q,"isEstimated":true}]}`, hour.Format(time.RFC3339))
	}))
	defer server.Close()

	keys, err := carbon.NewKeyRing("", "the-key", "the-next-key")
	if err != nil {
		fmt.Println(err)
		return
	}
	germany, err := carbon.NewElectricityMaps(carbon.ElectricityMapsConfig{Zone: "DE", Keys: keys, HTTP: carbon.HTTPConfig{URL: server.URL}})
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := germany.At(context.Background(), hour)
	fmt.Println(now.Intensity, now.Signal, now.Scope, now.Basis, err)

	france, err := germany.Zone("EU-FR")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = france.At(context.Background(), hour)
	fmt.Println(errors.Is(err, carbon.ErrNoCoverage))
	fmt.Println(keys)
	// Output:
	// 312 gCO2e/kWh average lifecycle estimated <nil>
	// true
	// KeyRing(2 keys)
}

// Two hours of which the first counts by half.
func ExampleMean() {
	at := func(hour int) time.Time { return time.Date(2024, 5, 1, hour, 0, 0, 0, time.UTC) }
	readings := []carbon.Reading{
		{Intensity: 400, Signal: carbon.Average, Basis: carbon.Measured, From: at(12), To: at(13)},
		{Intensity: 100, Signal: carbon.Average, Basis: carbon.Estimated, From: at(13), To: at(14)},
	}
	mean, err := carbon.Mean(readings, at(12).Add(30*time.Minute), at(14))
	fmt.Println(mean, err)
	// Output: 200 gCO2e/kWh <nil>
}
