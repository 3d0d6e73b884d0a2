r"""The README of an evidence bundle: how to check all of it by hand with sha256sum, base64, openssl and sh.

The commands follow RFC 6962 section 2 (leaf and node hashes), RFC 9162 section 2.1.3.2 (inclusion), DSSE v1.0.2 (the bytes
that are signed), C2SP signed-note (the checkpoint's Ed25519 signature) and RFC 8493 (the manifest). A test takes them out
of this text and runs them with ``sh`` exactly as they stand here. Every command line begins with four spaces.
"""

from __future__ import annotations

__all__ = ["BAGIT", "COMMANDS", "bag_info", "readme"]

BAGIT = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

COMMANDS = r"""
set -eu
tmp=$(mktemp -d)
wrong() { echo "FALSE / SALAH: $1" >&2; exit 1; }

# 1. manifest
sha256sum -c --quiet manifest-sha256.txt || wrong manifest

for act in data/acts/*; do
# 2. documents: the file codes stand in the record / sidik berkas tercatat
for file in "$act"/documents/*; do
  [ -e "$file" ] || continue
  code=$(sha256sum < "$file" | cut -c1-64)
  grep -q "\"sha256\":\"$code\"" "$act/record.json" || wrong "$file"
done

# 3. record.json is what the entry carries / isi entri
sed 's/.*"payload":"\([^"]*\)".*/\1/' "$act/entry.json" | base64 -d > "$tmp/payload"
cmp "$tmp/payload" "$act/record.json" || wrong "$act/record.json"
echo "$act: $(sha256sum < "$act/record.json" | cut -c1-64)"

# 4. signatures of the officials over the record (DSSE) / tanda tangan
kind=$(sed 's/.*"payloadType":"\([^"]*\)".*/\1/' "$act/entry.json")
{ printf 'DSSEv1 %d %s %d ' "${#kind}" "$kind" "$(wc -c < "$act/record.json")"; cat "$act/record.json"; } > "$tmp/pae"
count=0
for key in "$act"/key-*.pem; do
  id=$(openssl pkey -pubin -in "$key" -outform DER | sha256sum | cut -c1-64)
  sig=$(echo "$key" | sed 's/key-\([0-9a-f]*\)\.pem$/signature-\1.bin/')
  grep -q "\"keyid\":\"$id\",\"sig\":\"$(base64 < "$sig" | tr -d '\n')\"" "$act/entry.json" || wrong "$sig"
  openssl pkeyutl -verify -pubin -inkey "$key" -rawin -in "$tmp/pae" -sigfile "$sig" > "$tmp/said" || wrong "$sig"
  count=$((count + 1))
done
[ "$count" -eq "$(grep -o '"keyid":' "$act/entry.json" | wc -l)" ] || wrong "$act: signatures"

# 5. the keys were enrolled by the authority / kunci terdaftar
sed 's/.*"payload":"\([^"]*\)".*/\1/' data/roster.jsonl > "$tmp/lines"
while read -r line; do echo "$line" | base64 -d; echo; done < "$tmp/lines" > "$tmp/roster"
for key in "$act"/key-*.pem; do
  grep -qF "$(openssl pkey -pubin -in "$key" -outform DER | base64 | tr -d '\n')" "$tmp/roster" || wrong "$key"
done

# 6. leaf hash, and the way up to the root / menuju akar
{ printf '\000'; cat "$act/entry.json"; } | sha256sum
{ printf '\000'; cat "$act/entry.json"; } | openssl dgst -sha256 -binary > "$tmp/hash"
proof="$act/proof.tlog-proof"
sed '1,/^$/d' "$proof" > "$tmp/checkpoint"
fn=$(sed -n 's/^index //p' "$proof")
[ "$fn" = "$(basename "$act")" ] || wrong "$proof"
sn=$(($(sed -n 2p "$tmp/checkpoint") - 1))
for step in $(sed -n '/^index /,/^$/p' "$proof" | sed '1d;/^$/d'); do
  [ "$sn" -gt 0 ] || wrong "$proof"
  echo "$step" | base64 -d > "$tmp/step"
  if [ $((fn % 2)) -eq 1 ] || [ "$fn" -eq "$sn" ]; then
    { printf '\001'; cat "$tmp/step" "$tmp/hash"; } | openssl dgst -sha256 -binary > "$tmp/next"
    while [ $((fn % 2)) -eq 0 ] && [ "$fn" -gt 0 ]; do fn=$((fn / 2)); sn=$((sn / 2)); done
  else
    { printf '\001'; cat "$tmp/hash" "$tmp/step"; } | openssl dgst -sha256 -binary > "$tmp/next"
  fi
  mv "$tmp/next" "$tmp/hash"
  fn=$((fn / 2)); sn=$((sn / 2))
done
[ "$sn" -eq 0 ] || wrong "$proof"
[ "$(base64 < "$tmp/hash")" = "$(sed -n 3p "$tmp/checkpoint")" ] || wrong "$proof"

# 7. the log's Ed25519 signature on that checkpoint / tanda tangan log
vkey=$(sed -n 's/^log \([^ ]*\).*/\1/p' data/policy)
origin=${vkey%%+*}; rest=${vkey#*+}
[ "$origin" = "$(sed -n 1p "$tmp/checkpoint")" ] || wrong "$proof: origin"
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; echo "${rest#*+}" | base64 -d | tail -c 32; } > "$tmp/log.der"
sed '/^$/,$d' "$tmp/checkpoint" > "$tmp/text"
held=no
for line in $(sed -n "s|^— $origin ||p" "$tmp/checkpoint"); do
  echo "$line" | base64 -d > "$tmp/line"
  [ "$(wc -c < "$tmp/line")" -eq 68 ] || continue
  tail -c 64 "$tmp/line" > "$tmp/sig"
  set -- -verify -pubin -keyform DER -inkey "$tmp/log.der" -rawin -in "$tmp/text" -sigfile "$tmp/sig"
  if openssl pkeyutl "$@" > "$tmp/said"; then held=yes; fi
done
[ "$held" = yes ] || wrong "$proof: checkpoint"
done

# 8. what has to be compared with a printed copy / bandingkan dengan yang tercetak
grep '^log ' data/policy
head -n 1 "$tmp/roster" | tr -d '\n' | sha256sum | cut -c1-64
rm -r "$tmp"
echo "ALL HELD / SEMUA COCOK"
"""

_TEXT = """\
BERKAS BUKTI BENING / BENING EVIDENCE BUNDLE

Daftar (log): {origin}
Jumlah akta / acts: {count}

---------------------------------------------------------------- Indonesia
Berkas ini memuat akta yang dipublikasikan, dokumennya, tanda tangan pejabat, dan bukti bahwa akta itu tercatat dalam
daftar publik yang hanya bisa bertambah. Semuanya dapat diperiksa tanpa percaya kepada siapa pun, juga tanpa program Bening:

1. Ekstrak, lalu buka terminal dalam folder yang berisi bagit.txt.
2. Jalankan baris-baris di bawah (yang diawali empat spasi) dengan sh. Hanya perlu sha256sum, base64, dan openssl 3.
3. Baris terakhir menampilkan kunci log dan kode pendirian (founding). Bandingkan keduanya dengan yang diumumkan kota itu
   di tempat lain (koran, papan pengumuman, situs resmi). Tanpa perbandingan ini, hasilnya hanya cocok dengan dirinya sendiri.

Yang TIDAK diperiksa: apakah akta ini sah menurut hukum; tanda tangan elektronik tersertifikasi (BSrE) di dalam PDF;
perubahan sesudah bukti ini dibuat; masa tugas dan pencabutan kunci (untuk itu: bening verify BERKAS.zip). Daftar ini bukan
Lembaran atau Berita Daerah dan tidak menggantikan pengundangan maupun tanda tangan tersertifikasi.
Dokumen yang dikecualikan atau ditarik disebut dengan alasannya dalam not-included.json dan tidak disertakan.

------------------------------------------------------------------ English
This bundle holds published acts, their documents, the officials' signatures, and the proof that the acts stand in a public
list that only grows. All of it can be checked without trusting anybody, and without the program Bening:

1. Unpack it, and open a terminal in the folder that holds bagit.txt.
2. Run the lines below (those that begin with four spaces) with sh. They need only sha256sum, base64 and openssl 3.
3. The last lines show the log's key and the founding code. Compare both with what the city has announced elsewhere (a
   newspaper, a notice board, its official site). Without that, the bundle merely agrees with itself.

What is NOT checked: whether the act is lawful; the certified (BSrE) signature in the PDF; changes after this proof was made;
terms and revocations of keys (for those: bening verify FILE.zip). This list is not Lembaran or Berita Daerah and replaces
neither promulgation nor the certified signature.
Documents that are withheld or withdrawn are named with the reason in not-included.json and are left out.

----------------------------------------------------------------- commands
{commands}"""


def readme(origin: str, count: int) -> bytes:
    """Return the text of ``data/README.txt`` for a bundle of ``count`` acts of one log."""
    commands = "".join(f"    {line}\n" if line else "\n" for line in COMMANDS.strip("\n").split("\n"))
    return _TEXT.format(origin=origin, count=count, commands=commands).encode("utf-8")


def bag_info(acts: int, size: int, files: int) -> bytes:
    """Return ``bag-info.txt`` (RFC 8493 section 2.2.2) of ``acts`` acts: ``size`` bytes in ``files`` payload files."""
    text = f"Bag-Software-Agent: bening\nExternal-Description: {acts} acts\nPayload-Oxum: {size}.{files}\n"
    return text.encode("ascii")
