# awk -f report.awk -v empty=N -v deep=N -v deepest=N -v asides=N -v kinds=N -v lines=N
#   rows.tsv results
# Prints the figures (median, lowest and highest of the rounds) and the aims as Markdown tables.
# rows.tsv: figure KEY TEXT UNIT, or aim TEXT KEY KEY-OR-1 OPERATOR BOUND (of the medians' ratio).
BEGIN { FS = "\t" }

# The depths of this run in a key; in words for people.
function place(key) {
  gsub(/[{]empty[}]/, empty, key)
  gsub(/[{]deep[}]/, deep, key)
  gsub(/[{]deepest[}]/, deepest, key)
  gsub(/[{]asides[}]/, asides, key)
  gsub(/[{]kinds[}]/, kinds, key)
  return key
}

function words(text) {
  gsub(/[{]empty[}]/, show(empty + 0), text)
  gsub(/[{]deep[}]/, show(deep + 0), text)
  gsub(/[{]deepest[}]/, show(deepest + 0), text)
  gsub(/[{]asides[}]/, show(asides + 0), text)
  gsub(/[{]kinds[}]/, show(kinds + 0), text)
  gsub(/[{]lines[}]/, show(lines + 0), text)
  return text
}

# 12345.6 -> 12,346; small values with three digits.
function show(value,  text, i) {
  if (value == int(value) && value < 1000) return value ""
  if (value < 10) return sprintf("%.2f", value)
  if (value < 100) return sprintf("%.1f", value)
  text = sprintf("%.0f", value)
  for (i = length(text) - 3; i > 0; i -= 3) text = substr(text, 1, i) "," substr(text, i + 1)
  return text
}

# Inserts a new value of a key in sorted order.
function add(key, value,  i) {
  for (i = ++count[key]; i > 1 && sorted[key, i - 1] > value; i--) sorted[key, i] = sorted[key, i - 1]
  sorted[key, i] = value
}

function median(key,  n) {
  n = count[key]
  return n % 2 ? sorted[key, (n + 1) / 2] : (sorted[key, n / 2] + sorted[key, n / 2 + 1]) / 2
}

function figure(row,  key) {
  key = place(row[2])
  if (!count[key]) {
    printf "| %s | %s | not measured | | |\n", words(row[3]), row[4]
    return
  }
  printf "| %s | %s | %s | %s | %s |\n", words(row[3]), row[4], show(median(key)),
         show(sorted[key, 1]), show(sorted[key, count[key]])
}

function aim(row,  above, below, ratio, met) {
  above = place(row[3])
  below = place(row[4])
  if (!count[above] || (below != 1 && !count[below])) {
    printf "| %s | not measured | %s %s | |\n", words(row[2]), row[5], row[6]
    return
  }
  ratio = median(above) / (below == 1 ? 1 : median(below))
  met = row[5] == ">=" ? ratio >= row[6] : row[5] == "<=" ? ratio <= row[6] : ratio < row[6]
  printf "| %s | %s | %s %s | %s |\n", words(row[2]), show(ratio), row[5], row[6],
         met ? "yes" : "**no**"
}

FNR == NR { rows[++row_count] = $0; next }
{ add($1, $2 + 0) }

END {
  print "| what | unit | median | lowest | highest |\n|---|---|--:|--:|--:|"
  for (i = 1; i <= row_count; i++) {
    split(rows[i], row, FS)
    if (row[1] == "figure") figure(row)
  }
  print "\n| what | figure | aim | met |\n|---|--:|--:|---|"
  for (i = 1; i <= row_count; i++) {
    split(rows[i], row, FS)
    if (row[1] == "aim") aim(row)
  }
}
