"""Rate, pitch, volume and pauses of parts of a text: by arguments for its words, or by an SSML document."""
