import java.util.regex.*;import java.util.*;
/** Writes vectors.tsv: what java.util.regex itself does. Run: java Vectors.java > vectors.tsv */
public class Vectors { public static void main(String[] a){
 String[][] t={
 {"(\\w+)\\s+(\\w+)","Ann Baker","$2, $1"},{"(?<f>\\w+)-(x)(?<g>y)?","ab-xy-cd-x","[${f}|$2|$3|${g}]"},{"[^a-zA-Z0-9]","Jöhn O'B-1","_"},
 {"[a-z&&[^aeiou]]","hello world","*"},{"[a-c[x-z]]","abcdwxyz","."},{"[^a-c[x-z]]","abcdwxyz","."},{"\\Qa.b\\E+","a.bb a.b axb","#"},
 {"\\p{Alpha}+","abc ÄÖ 12","A"},{"\\p{L}+","abc ÄÖ 12","L"},{"\\p{IsLatin}+","abcÄ Ωmega","X"},{"\\p{InCombiningDiacriticalMarks}+","e\u0301a","" },
 {"a*+b","aaab ab b","<$0>"},{"(a|ab)++c","abac abc","!"},{"x{2,3}?","xxxxx","y"},{"^\\s+|\\s+$","  a b  ",""},{"(?i)abc","aBC ABC abd","z"},
 {"(?<=@)[^.]+","a@b.c d@e.f","Q"},{"(?!foo)\\b\\w+","foo bar","W"},{"[\\D]","a1b2","_"},{"[\\W&&[^ ]]","a-b c","_"},{"\\d","1٣2","d"},
 {"a|","bab","-"},{"","abc","-"},{"x*","axb","-"},{"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)","abcdefghijk","$11-$1"},{"(a)","a","$12"},
 {"\\.","a.b.c","\\\\"},{"\\x41\\u0042\\0103","ABC","ok"},{".","a\nb\r\u2028c","."},{"(?s).","a\nb","."},{"(?m)^","a\nb",">"},
 {"[\\p{L}&&[^\\p{Lu}]]","aBcÄä","*"},{"[]a]","]ab","x"},{"[a-]","a-b","x"},{"[\\[\\]]","[a]","x"},{"(\\w)\\1","aabbcd","<$1>"},{"\\k<q>|(?<q>a)","a","b"},
 {"[A-Z]{2,}","ABcDEF","#"},{"\\h+","a\t\u00a0b"," "},{"\\R","a\r\nb\nc","/"},{"[^\\p{ASCII}]","naïve Ω","?"},{"\\P{L}","a1 b","_"},{"[\\s,;]+","a, b;c"," "},
 {"(?<=a)b|c(?=d)","ab cb cd","X"},{"😀","a😀b","e"},{"[😀-😎]","a😁b","e"},{"\\$","a$b","\\$\\$"},{"[.]","a.b","x"},{"\\D+","ab12cd",""},{"(?:ab)+?","ababab","x"},
 };
 for(String[] x:t){String r;try{r=x[1].replaceAll(x[0],x[2]);}catch(Exception e){r="ERR";}System.out.println(esc(x[0])+"\t"+esc(x[1])+"\t"+esc(x[2])+"\t"+esc(r));}
 String[][] s={{",","a,b,,c,,"},{",",",a"},{"","abc"},{"\\s*","a b  c"},{":","abc"},{"\\|","a|b"},{"[,;]","a,b;c"},{"x","x"},{"x",""},{" ","  a b "},{"(?=[A-Z])","aBcD"}};
 for(String[] x:s){System.out.println("SPLIT\t"+esc(x[0])+"\t"+esc(x[1])+"\t"+esc(String.join("␟",x[1].split(x[0]))));}
 String[] bad={"(","a)","[a","*a","a{2","\\","(?<1>a)","\\k<z>","[z-a]","(?z)a","\\p{Foo}","a**","\\y"};
 for(String b:bad){String r="ok";try{Pattern.compile(b);}catch(Exception e){r="ERR";}System.out.println("BAD\t"+esc(b)+"\t"+r);}
 }
 static String esc(String s){StringBuilder b=new StringBuilder();for(char c:s.toCharArray()){if(c<32||c==0x2028||c==0xa0)b.append(String.format("\\u%04x",(int)c));else if(c=='\\')b.append("\\\\");else b.append(c);}return b.toString();}
}
