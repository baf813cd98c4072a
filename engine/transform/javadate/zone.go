package javadate

import (
	"fmt"
	"strings"
	"time"
)

// zoneNames are the names of time zones for z, with their offsets in minutes. If several zones share an abbreviation,
// it reads as the first.
var zoneNames = [...]struct {
	short, long string
	offset      int
}{
	{"UTC", "Coordinated Universal Time", 0}, {"GMT", "Greenwich Mean Time", 0},
	{"WET", "Western European Standard Time", 0}, {"WEST", "Western European Summer Time", 60},
	{"BST", "British Summer Time", 60}, {"CET", "Central European Standard Time", 60},
	{"CEST", "Central European Summer Time", 120}, {"EET", "Eastern European Standard Time", 120},
	{"EEST", "Eastern European Summer Time", 180}, {"MSK", "Moscow Standard Time", 180},
	{"PST", "Pacific Standard Time", -480}, {"PDT", "Pacific Daylight Time", -420},
	{"MST", "Mountain Standard Time", -420}, {"MDT", "Mountain Daylight Time", -360},
	{"CST", "Central Standard Time", -360}, {"CDT", "Central Daylight Time", -300},
	{"EST", "Eastern Standard Time", -300}, {"EDT", "Eastern Daylight Time", -240},
	{"AST", "Atlantic Standard Time", -240}, {"ADT", "Atlantic Daylight Time", -180},
	{"NST", "Newfoundland Standard Time", -210}, {"NDT", "Newfoundland Daylight Time", -150},
	{"AKST", "Alaska Standard Time", -540}, {"AKDT", "Alaska Daylight Time", -480},
	{"HST", "Hawaii-Aleutian Standard Time", -600}, {"IST", "India Standard Time", 330},
	{"IST", "Irish Standard Time", 60}, {"IST", "Israel Standard Time", 120}, {"IDT", "Israel Daylight Time", 180},
	{"PKT", "Pakistan Standard Time", 300}, {"CST", "China Standard Time", 480},
	{"HKT", "Hong Kong Standard Time", 480}, {"JST", "Japan Standard Time", 540},
	{"KST", "Korean Standard Time", 540}, {"PST", "Philippine Standard Time", 480},
	{"AWST", "Australian Western Standard Time", 480}, {"ACST", "Australian Central Standard Time", 570},
	{"ACDT", "Australian Central Daylight Time", 630}, {"AEST", "Australian Eastern Standard Time", 600},
	{"AEDT", "Australian Eastern Daylight Time", 660}, {"NZST", "New Zealand Standard Time", 720},
	{"NZDT", "New Zealand Daylight Time", 780}, {"SAST", "South Africa Standard Time", 120},
	{"WAT", "West Africa Standard Time", 60}, {"EAT", "East Africa Time", 180},
}

// zoneName returns the name of t's zone, or GMT and the offset for a zone without a name.
func zoneName(t time.Time, long bool) string {
	short, offset := t.Zone()
	for i := range zoneNames {
		z := &zoneNames[i]
		if z.short == short && z.offset*60 == offset {
			if long {
				return z.long
			}
			return z.short
		}
	}
	if !long && short != "" && strings.IndexByte("+-", short[0]) < 0 {
		return short
	}
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Sprintf("GMT%c%02d:%02d", sign, offset/3600, offset/60%60)
}

// parseZone reads a time zone at the beginning of text: Z, an offset such as +05:30, +0530 or +05, GMT with or without
// an offset, or a name. The length is 0 if there is none.
func parseZone(text string) (offset, length int) {
	if text == "" {
		return 0, 0
	}
	if text[0] == '+' || text[0] == '-' {
		return parseOffset(text)
	}
	for i := range zoneNames {
		z := &zoneNames[i]
		for _, name := range [...]string{z.long, z.short} {
			if len(name) > length && len(text) >= len(name) && strings.EqualFold(text[:len(name)], name) {
				offset, length = z.offset*60, len(name)
			}
		}
	}
	if length == len("GMT") && offset == 0 && len(text) > length {
		if o, n := parseOffset(text[length:]); n > 0 {
			return o, length + n
		}
	}
	if length == 0 && (text[0] == 'Z' || text[0] == 'z') {
		return 0, 1
	}
	return offset, length
}

// parseOffset reads a sign and hh, hhmm, hh:mm or h:mm.
func parseOffset(text string) (offset, length int) {
	if text[0] != '+' && text[0] != '-' {
		return 0, 0
	}
	hours, n := digits(text[1:])
	if n == 0 || hours > 23 {
		return 0, 0
	}
	i := 1 + n
	next := i
	if next < len(text) && text[next] == ':' {
		next++
	}
	minutes, n := 0, 0
	if next < len(text) {
		minutes, n = digits(text[next:])
	}
	if n == 2 && minutes < 60 {
		i = next + n
	} else {
		minutes = 0
	}
	offset = hours*3600 + minutes*60
	if text[0] == '-' {
		offset = -offset
	}
	return offset, i
}

// digits reads at most two digits.
func digits(text string) (value, length int) {
	for length < 2 && length < len(text) && text[length] >= '0' && text[length] <= '9' {
		value = value*10 + int(text[length]-'0')
		length++
	}
	return value, length
}
