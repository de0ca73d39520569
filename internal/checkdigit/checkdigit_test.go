package checkdigit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCard(t *testing.T) {
	t.Parallel()
	// The numbers that the networks print for tests.
	for _, number := range []string{"4111111111111111", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005", "371449635398431",
		"30569309025904", "38520000023237", "3566002020360505", "6011111111111117", "6011000990139424"} {
		require.True(t, Card([]byte(number)), number)
		values := []byte(number)
		for i := range values {
			values[i] -= '0'
		}
		require.True(t, Card(values), "the digits of %s", number)
		values[len(values)-1] = (values[len(values)-1] + 1) % 10
		require.False(t, Card(values), "%s with another last digit", number)
	}
	for _, number := range []string{"", "0", "0000000000000000", "1234567812345670", "411111111111", "41111111111111111111", "5555555555554"} {
		require.False(t, Card([]byte(number)), number)
	}
}

// TestLuhn: the check finds every wrong digit, and every swap of neighbours but 09 and 90.
func TestLuhn(t *testing.T) {
	t.Parallel()
	number := []byte("79927398713")
	require.True(t, Luhn(number))
	for i := range number {
		for c := byte('0'); c <= '9'; c++ {
			wrong := append([]byte(nil), number...)
			wrong[i] = c
			require.Equal(t, c == number[i], Luhn(wrong))
		}
		if i > 0 {
			swapped := append([]byte(nil), number...)
			swapped[i-1], swapped[i] = number[i], number[i-1]
			require.Equal(t, number[i] == number[i-1], Luhn(swapped))
		}
	}
}

func TestIBAN(t *testing.T) {
	t.Parallel()
	// Examples of the register.
	for _, number := range []string{"DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947", "BE68539007547034",
		"MT84MALT011000012345MTLCAST001S", "CH9300762011623852957", "SA0380000000608010167519"} {
		require.True(t, IBAN([]byte(number)), number)
		require.True(t, IBAN([]byte(strings.ToLower(number))), number)
		wrong := []byte(number)
		wrong[5], wrong[6] = wrong[6], wrong[5]
		require.Equal(t, wrong[5] == wrong[6], IBAN(wrong), "%s", wrong)
		require.False(t, IBAN([]byte(number+"0")))
		require.False(t, IBAN([]byte(number[:len(number)-1])))
	}
	for _, number := range []string{"", "DE", "XX89370400440532013000", "DE8937040044053201300 ", "\xc4\xc5" + strings.Repeat("0", 20)} {
		require.False(t, IBAN([]byte(number)), number)
	}
	require.Zero(t, IBANLength('Z', 'Z'))
	require.Equal(t, 22, IBANLength('d', 'E'))
}
