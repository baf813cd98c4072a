import java.text.ParsePosition;
import java.text.SimpleDateFormat;
import java.util.*;

/** Writes vectors.tsv: what SimpleDateFormat itself does. Run: java Vectors.java > vectors.tsv */
public class Vectors {
    static final Random RANDOM = new Random(20261123);
    static final String LETTERS = "GyYMLwWDdFEuaHkKhmsSzZX";
    static final String[] ZONES = {"UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"};
    static final String[] PATTERNS = {
        "yyyy-MM-dd", "MM/dd/yyyy", "M/d/yyyy", "M/d/yy", "d.M.y", "yyyyMMdd", "yyyyMMddHHmmss", "yyMMdd",
        "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "yyyy-MM-dd'T'HH:mm:ss.SSSX", "yyyy-MM-dd'T'HH:mm:ssXXX", "yyyy-MM-dd'T'HH:mm",
        "MMM dd yyyy, HH:mm:ss.SSS", "EEE, d MMM yyyy HH:mm:ss Z", "EEEE, MMMM d, yyyy h:mm a", "hh:mm:ss aa", "K:mm a, z",
        "kk:mm", "yyyy-DDD", "YYYY-'W'ww-u", "yyyy-ww-EEE", "yyyy MM W EEE", "yyyy MM F E", "G y", "h 'o''clock' a, zzzz",
        "yyyy.MM.dd G 'at' HH:mm:ss z", "dd-MMM-yy", "LLLL yyyy", "yyyyMMddHHmmss.Z", "HHmm", "ss.S", "D", "u", "F", "''yy",
        "YYYY", "YYYY-ww", "yyyy-MM-dd DDD", "hh:mm a HH", "HH hh a", "MMMMM d", "yyyyy.MM", "XX XXX X", "d MMMM y G",
    };

    static String pattern() {
        StringBuilder b = new StringBuilder();
        int n = 1 + RANDOM.nextInt(6);
        for (int i = 0; i < n; i++) {
            char c = LETTERS.charAt(RANDOM.nextInt(LETTERS.length()));
            int count = 1 + RANDOM.nextInt(c == 'X' ? 3 : 4);
            for (int k = 0; k < count; k++) b.append(c);
            if (RANDOM.nextInt(4) > 0) b.append(new String[]{" ", "-", "/", ".", "'T'", ":", ", "}[RANDOM.nextInt(7)]);
        }
        return b.toString();
    }

    static long instant() {
        switch (RANDOM.nextInt(4)) {
            case 0: return RANDOM.nextInt() * 1000L + RANDOM.nextInt(1000);
            case 1: return (long) (RANDOM.nextDouble() * 4102444800000L);
            case 2: return (long) ((RANDOM.nextDouble() - 0.6) * 100e12);
            default: return 86400000L * (RANDOM.nextInt(30000) - 5000);
        }
    }

    static String mutate(String s) {
        if (s.isEmpty()) return s;
        int i = RANDOM.nextInt(s.length());
        switch (RANDOM.nextInt(5)) {
            case 0: return s.substring(0, i);
            case 1: return s.substring(0, i) + RANDOM.nextInt(10) + s.substring(i);
            case 2: return s.substring(0, i) + s.substring(i + 1);
            case 3: return s.substring(0, i) + " " + s.substring(i);
            default: return s + "x";
        }
    }

    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Date century = new Date(Date.UTC(46, 10, 23, 0, 0, 0)); // 80 years before the Now of the test
        for (int i = 0; i < 1000; i++) {
            String pattern = i < 400 ? PATTERNS[i % PATTERNS.length] : pattern();
            long time = instant();
            if (pattern.contains("GGGG")) continue; // SimpleDateFormat is not of one mind about the long names of eras
            // Before 1970 the data bases of time zones differ.
            String zone = time < 0 ? "UTC" : ZONES[RANDOM.nextInt(ZONES.length)];
            SimpleDateFormat f = new SimpleDateFormat(pattern, Locale.US);
            f.setTimeZone(TimeZone.getTimeZone(zone));
            f.set2DigitYearStart(century);
            String text = f.format(new Date(time));
            System.out.println("format\t" + pattern + "\t" + zone + "\t" + time + "\t" + text);
            // A week year without a week, and zones that are not quite right, are read differently on purpose.
            if (pattern.indexOf('Y') >= 0 && pattern.indexOf('w') < 0) continue;
            boolean zoned = pattern.matches(".*[zZX].*");
            String read = RANDOM.nextInt(3) == 0 && !zoned ? mutate(text) : text;
            if (!zoned && (time < 0 || read != text)) zone = "UTC";
            SimpleDateFormat p = new SimpleDateFormat(pattern, Locale.US);
            p.setTimeZone(TimeZone.getTimeZone(zone));
            p.set2DigitYearStart(century);
            Date d = p.parse(read, new ParsePosition(0));
            System.out.println("parse\t" + pattern + "\t" + zone + "\t" + read + "\t" + (d == null ? "-" : "" + d.getTime()));
        }
    }
}
