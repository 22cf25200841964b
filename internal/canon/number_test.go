package canon_test

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/deltahook/deltahook/internal/canon"
)

func TestReadNumber(t *testing.T) {
	for _, c := range []struct{ text, decimal, want string }{
		{"112.1300", ".", "112.1300"},
		{"-5.39%", ".", "-5.39"},
		{"5.39 %", ".", "5.39"},
		{"1,234.5", ".", "1234.5"},
		{"12,345,678", ".", "12345678"},
		{"+3", ".", "3"},
		{" 7 ", ".", "7"},
		{"\u00a07\u202f", ".", "7"},
		{"\u22121.5", ".", "-1.5"},
		{"007", ".", "7"},
		{"-0.0", ".", "-0.0"},
		{".5", ".", "0.5"},
		{"5.", ".", "5"},
		{"1.5e-3", ".", "1.5e-3"},
		{"2E+6", ".", "2E+6"},
		{"1.234,5", ",", "1234.5"},
		{"1,5", ",", "1.5"},
		{"-1.234.567,89 %", ",", "-1234567.89"},

		{"", ".", ""}, {" ", ".", ""}, {"-", ".", ""}, {".", ".", ""}, {"%", ".", ""}, {"N/A", ".", ""},
		{"1,23", ".", ""}, {"1234,567", ".", ""}, {"0,123", ".", ""}, {",123", ".", ""}, {"1,234,56", ".", ""},
		{"1.5", ",", ""}, {"1.2345", ",", ""}, {"1.2,3.4", ",", ""}, {"1.2.3", ".", ""}, {"1 234", ".", ""},
		{"--1", ".", ""}, {"+-1", ".", ""}, {"1e", ".", ""}, {"1e5.5", ".", ""}, {"0x10", ".", ""}, {"NaN", ".", ""}, {"Infinity", ".", ""},
		{"1_000", ".", ""}, {"\u0661", ".", ""}, {"$5", ".", ""}, {"5%%", ".", ""}, {"12:30", ".", ""}, {"2026-11-23", ".", ""},
	} {
		got, ok := canon.ReadNumber([]byte("x"), c.text, c.decimal[0])
		if string(got) != "x"+c.want || ok != (c.want != "") {
			t.Errorf("%q with %q is %s, %v; want %q", c.text, c.decimal, got[1:], ok, c.want)
		}
	}
}

// FuzzReadNumber: what is read is JSON, keeps every digit, and reads as itself.
func FuzzReadNumber(f *testing.F) {
	f.Add("1,234.50%", true)
	f.Add(" -1.234,5e7", false)
	f.Fuzz(func(t *testing.T, text string, point bool) {
		decimal := byte(',')
		if point {
			decimal = '.'
		}
		got, ok := canon.ReadNumber(nil, text, decimal)
		if !ok {
			return
		}
		if err := canon.Valid(got); err != nil || strings.ContainsAny(string(got), `"[{tfn`) {
			t.Fatalf("%q became %s, which is no number: %v", text, got, err)
		}
		if again, ok := canon.ReadNumber(nil, string(got), '.'); !ok || string(again) != string(got) {
			t.Fatalf("%q became %s, then %s", text, got, again)
		}
	})
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		a, b, tolerance string
		want            bool
	}{
		{"0.3", "0.2", "0.1", true},
		{"0.30000000000000000001", "0.2", "0.1", false},
		{"100", "100.01", "0.01", true},
		{"100", "99.99", "0.01", true},
		{"100", "100.0100001", "0.01", false},
		{"-0.005", "0.005", "0.01", true},
		{"9007199254740993", "9007199254740992", "1", true},
		{"1e400", "1e400", "1", true},
		{"1e400", "10e399", "1", true},
		{"1e400", "1", "1", false},
		{"1e999999999", "1", "1", false},
		{"1e-999999999", "0", "1", false},
		{"1e999999999999", "1", "1", false},
	} {
		tolerance, _ := new(big.Rat).SetString(c.tolerance)
		if got := canon.Within([]byte(c.a), []byte(c.b), tolerance); got != c.want {
			t.Errorf("%s and %s within %s: %v", c.a, c.b, c.tolerance, got)
		}
	}
	if canon.Within([]byte("1"), []byte("2"), nil) || !canon.Within([]byte("1"), []byte("1.0"), nil) {
		t.Error("without a tolerance equal numbers are the same, and no others")
	}
	long := strings.Repeat("7", 1_000_000)
	if one := big.NewRat(1, 1); canon.Within([]byte(long), []byte(long+"1"), one) || !canon.Within([]byte(long), []byte(long+".0"), one) {
		t.Error("numbers too long to reckon with are the same where they are equal, and only there")
	}
}

func TestWithinIsExact(t *testing.T) {
	number := rapid.StringMatching(`-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?(e-?[0-3])?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		limit := rapid.SampledFrom([]string{"0.00001", "0.1", "3", "12345.6"}).Draw(t, "tolerance")
		x, _ := new(big.Rat).SetString(a)
		y, _ := new(big.Rat).SetString(b)
		tolerance, _ := new(big.Rat).SetString(limit)
		want := new(big.Rat).Abs(new(big.Rat).Sub(x, y)).Cmp(tolerance) <= 0
		if got := canon.Within([]byte(a), []byte(b), tolerance); got != want {
			t.Fatalf("%s and %s within %s: %v", a, b, limit, got)
		}
	})
}
