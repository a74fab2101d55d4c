"""The words of the exchange as frozen values; `gateway.wire` maps each to the message of the same name."""
