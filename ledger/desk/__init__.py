"""The official's side: drafting, signing, numbers and labels, bulk import, roster files. Touches no store."""
