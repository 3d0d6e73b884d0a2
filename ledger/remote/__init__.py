"""A ledger on another machine, spoken to by its API: the same questions and the same handing over as on a folder."""
