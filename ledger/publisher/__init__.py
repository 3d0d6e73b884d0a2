"""The write side: home, inbox, store, sequencer and outbox. Design section 5 is its order of writes."""
